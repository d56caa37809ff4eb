complete -c dumpme -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpme -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpme -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpme -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpme -l at -d 'Date the dump at this minute instead of now; imports an older copy, and prunes nothing when there is a newer dump' -r
complete -c dumpme -l pin -d 'Keep the dump under this name: a pin, which retention and `dumpctl remove` leave until `dumpctl unpin NAME`' -r
complete -c dumpme -l check-age -d 'Print the age and path of the newest dump; exit with 1 if it is older than AGE (26h, 1day 2h) or there is none. When trees are given, each has its own newest dump, and the oldest of these counts' -r
complete -c dumpme -l exclude -d 'Leave out what matches this rule (rsync\'s syntax; the first rule that matches wins)' -r
complete -c dumpme -l exclude-from -d 'Read exclude rules from a file, one per line (\'-\' for standard input)' -r -F
complete -c dumpme -l root-name -d 'Name of the tree in the dump [default: the last part of its path]' -r
complete -c dumpme -s j -l jobs -d 'Number of workers [default: chosen by disks and processors]' -r
complete -c dumpme -l bwlimit -d 'Limit the rate at which contents are copied, per second and in rsync\'s syntax: 500 (KiB), 1.5m, 20MB [default: 0, no limit]' -r
complete -c dumpme -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpme -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpme -l init -d 'Make the first dump in a dump root that has no `current` link. `current_chk` points to it until the first checkpoint'
complete -c dumpme -s n -l dry-run -d 'Change nothing; list what would be copied, and why'
complete -c dumpme -l allow-empty -d 'Dump a tree that is empty even if its last dump is not'
complete -c dumpme -l prometheus -d 'Print the age of the newest dump, or of each given tree\'s, as Prometheus metrics for node_exporter\'s textfile collector'
complete -c dumpme -s c -l checksum -d 'Compare contents too, not only size, times and attributes (--no-checksum overrides the configuration)'
complete -c dumpme -l no-checksum
complete -c dumpme -l ignore-ctime -d 'Do not compare the contents of files of which only ctime has changed; for trees in which another program makes hard links (--no-ignore-ctime overrides the configuration)'
complete -c dumpme -l no-ignore-ctime
complete -c dumpme -s x -l one-file-system -d 'Do not enter other filesystems below a tree; store an empty directory in place of each, and name it with -v (--no-one-file-system overrides the configuration)'
complete -c dumpme -l no-one-file-system
complete -c dumpme -l no-catalog -d 'Neither use nor update the catalog of the dump root: compare every entry with the dump before (--catalog overrides the configuration)'
complete -c dumpme -l catalog
complete -c dumpme -l no-moves -d 'Copy what was moved or renamed within a tree since its last dump, instead of linking it to where it was'
complete -c dumpme -l whole-file -d 'Store a changed file as a whole, where xfs or btrfs could share what is the same with its version in the dump before'
complete -c dumpme -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpme -l no-idle
complete -c dumpme -s v -l verbose -d 'List what is copied and why, and what is excluded; -vv also lists what is linked'
complete -c dumpme -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpme -l json -d 'Print the report as one JSON object'
complete -c dumpme -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpme -l no-progress -d 'Show no progress'
complete -c dumpme -s h -l help -d 'Print help'
complete -c dumpme -s V -l version -d 'Print version'
