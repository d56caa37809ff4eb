complete -c dumpslave -l from -d 'Dump root to replicate from [env: DUMPROOT, the first existing of a colon-separated list] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpslave -l dump -d 'Dump root to replicate to; DUMPROOT does not name this one [default: /dumpslave]' -r -f -a "(__fish_complete_directories)"
complete -c dumpslave -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpslave -l set -d 'Use a set: [set.NAME] in the configuration file, or NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpslave -l exclude -d 'Leave out what matches this rule, in rsync\'s syntax; the first rule that matches wins' -r
complete -c dumpslave -l exclude-from -d 'Read such rules from a file, one a line (\'-\': standard input)' -r -F
complete -c dumpslave -s j -l jobs -d 'Number of workers [default: chosen from the disks and processors]' -r
complete -c dumpslave -l bwlimit -d 'Copy contents no faster than this a second, in rsync\'s syntax: 500 for 500 KiB, 1.5m, 20MB; 0 for no limit, the default' -r
complete -c dumpslave -l log -d 'Where the log goes: auto, journal, syslog or stderr [default: auto: the journal under systemd, or where there is one and stderr is no terminal; else stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpslave -l print-config -d 'Print what is in force and where it comes from, and do nothing'
complete -c dumpslave -l init -d 'The first dump, into a dump root that has no link `current` yet; until the first checkpoint `current_chk` names it too'
complete -c dumpslave -l latest -d 'The newest dump, the one that `current` names, not the last one before today'
complete -c dumpslave -l wait -d 'Wait until the dump root to replicate from is there and has its link `current` (--no-wait: do not, whatever the configuration says)'
complete -c dumpslave -l no-wait
complete -c dumpslave -s n -l dry-run -d 'Only list what would be copied, and why'
complete -c dumpslave -l idle -d 'Use disks and processors only when nobody else wants them (--no-idle: do not, whatever the configuration says)'
complete -c dumpslave -l no-idle
complete -c dumpslave -s v -l verbose -d 'List what is stored anew and why, and what is excluded; twice: also what is linked'
complete -c dumpslave -s q -l quiet -d 'No report, no warnings: only what went wrong, as cron should mail it'
complete -c dumpslave -l json -d 'Print the report as one JSON object'
complete -c dumpslave -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpslave -l no-progress -d 'Show no progress'
complete -c dumpslave -s h -l help -d 'Print help'
complete -c dumpslave -s V -l version -d 'Print version'
