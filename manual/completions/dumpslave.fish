complete -c dumpslave -l from -d 'Dump root to copy from [env: DUMPROOT, the first directory of a colon-separated list that exists] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpslave -l dump -d 'Dump root to copy to (not set by DUMPROOT) [default: /dumpslave]' -r -f -a "(__fish_complete_directories)"
complete -c dumpslave -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpslave -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpslave -l exclude -d 'Leave out what matches this rule (rsync\'s syntax; the first rule that matches wins)' -r
complete -c dumpslave -l exclude-from -d 'Read exclude rules from a file, one per line (\'-\' for standard input)' -r -F
complete -c dumpslave -s j -l jobs -d 'Number of workers [default: chosen by disks and processors]' -r
complete -c dumpslave -l bwlimit -d 'Limit the rate at which contents are copied, per second and in rsync\'s syntax: 500 (KiB), 1.5m, 20MB [default: 0, no limit]' -r
complete -c dumpslave -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpslave -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpslave -l init -d 'Make the first dump in a dump root that has no `current` link. `current_chk` points to it until the first checkpoint'
complete -c dumpslave -l latest -d 'Copy the newest dump (`current`) instead of the last one before today'
complete -c dumpslave -l wait -d 'Wait until the dump root to copy from exists and has a `current` link (--no-wait overrides the configuration)'
complete -c dumpslave -l no-wait
complete -c dumpslave -l heal -d 'Store a good version in the place of a damaged file, if there is one: with the hash that the catalog has of it (--no-heal overrides the configuration)'
complete -c dumpslave -l no-heal
complete -c dumpslave -l whole-file -d 'Store a changed file as a whole, where xfs or btrfs could share what is the same with its version in the dump before'
complete -c dumpslave -s n -l dry-run -d 'Change nothing; list what would be copied, and why'
complete -c dumpslave -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpslave -l no-idle
complete -c dumpslave -s v -l verbose -d 'List what is copied and why, and what is excluded; -vv also lists what is linked'
complete -c dumpslave -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpslave -l json -d 'Print the report as one JSON object'
complete -c dumpslave -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpslave -l no-progress -d 'Show no progress'
complete -c dumpslave -s h -l help -d 'Print help'
complete -c dumpslave -s V -l version -d 'Print version'
