complete -c chkptme -l dump -d 'Dump root whose newest dump is copied [env: DUMPROOT, the first directory of a colon-separated list that exists] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c chkptme -l main -d 'Tree in which to look for a good version of a damaged file; can be given several times [env: MAINROOT, a list like DUMPROOT] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c chkptme -l from -d 'Another dump root in which to look for a good version of a damaged file, besides the one of [slave]; can be given several times' -r -f -a "(__fish_complete_directories)"
complete -c chkptme -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c chkptme -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c chkptme -s j -l jobs -d 'Number of workers [default: chosen by disks and processors]' -r
complete -c chkptme -l bwlimit -d 'Limit the rate at which contents are copied, per second and in rsync\'s syntax: 500 (KiB), 1.5m, 20MB [default: 0, no limit]' -r
complete -c chkptme -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c chkptme -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c chkptme -s n -l dry-run -d 'Change nothing; say how much would be copied (-v lists it)'
complete -c chkptme -l linked -d 'Link what did not change to the linked checkpoint before, after reading it and comparing it with its recorded hash, and share nothing with dumps; `current` stays where it is (--no-linked overrides the configuration)'
complete -c chkptme -l no-linked
complete -c chkptme -l verify -d 'Read the copy back from the disk, bypassing the cache, and compare it with the dump; a checkpoint that differs is not published'
complete -c chkptme -l heal -d 'Store a good version in the place of a damaged file, if there is one: with the hash that the catalog has of it (--no-heal overrides the configuration)'
complete -c chkptme -l no-heal
complete -c chkptme -l no-space-check -d 'Start even if the dump disk is clearly too small for the copy'
complete -c chkptme -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c chkptme -l no-idle
complete -c chkptme -s v -l verbose -d 'List what is copied and why, and what is excluded; -vv also lists what is linked'
complete -c chkptme -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c chkptme -l json -d 'Print the report as one JSON object'
complete -c chkptme -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c chkptme -l no-progress -d 'Show no progress'
complete -c chkptme -s h -l help -d 'Print help (see more with \'--help\')'
complete -c chkptme -s V -l version -d 'Print version'
