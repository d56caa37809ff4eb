complete -c dumpme -l main -d 'Tree to read; give it again for several [env: MAINROOT, the first existing of a colon-separated list] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpme -l dump -d 'Dump root, where dumps are kept [env: DUMPROOT, likewise] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpme -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpme -l set -d 'Use a set: [set.NAME] in the configuration file, or NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpme -l at -d 'The dump is of this minute, not of now: to import an older copy' -r
complete -c dumpme -l check-age -d 'Tell the newest dump\'s age and path; exit 1 when it is older than this, as 26h or 1day 2h, or when there is none. Where trees are named, each has its own newest dump, and the oldest of these counts' -r
complete -c dumpme -l exclude -d 'Leave out what matches this rule, in rsync\'s syntax; the first rule that matches wins' -r
complete -c dumpme -l exclude-from -d 'Read such rules from a file, one a line (\'-\': standard input)' -r -F
complete -c dumpme -l root-name -d 'The tree\'s name in the dump [default: the last name of its path]' -r
complete -c dumpme -s j -l jobs -d 'Number of workers [default: chosen from the disks and processors]' -r
complete -c dumpme -l bwlimit -d 'Copy contents no faster than this a second, in rsync\'s syntax: 500 for 500 KiB, 1.5m, 20MB; 0 for no limit, the default' -r
complete -c dumpme -l log -d 'Where the log goes: auto, journal, syslog or stderr [default: auto: the journal under systemd, or where there is one and stderr is no terminal; else stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpme -l print-config -d 'Print what is in force and where it comes from, and do nothing'
complete -c dumpme -l init -d 'The first dump, into a dump root that has no link `current` yet; until the first checkpoint `current_chk` names it too'
complete -c dumpme -s n -l dry-run -d 'Only list what would be copied, and why'
complete -c dumpme -l allow-empty -d 'Dump a tree that is empty though its last dump is not'
complete -c dumpme -l prometheus -d 'Tell the newest dump\'s age, or that of each tree that is named, as metrics for Prometheus, as node_exporter\'s textfile collector reads them'
complete -c dumpme -s c -l checksum -d 'Compare contents too, not only size, times and attributes (--no-checksum: not, whatever the configuration says)'
complete -c dumpme -l no-checksum
complete -c dumpme -l ignore-ctime -d 'Do not compare contents since a file had been touched: for a tree that another program hard-links (--no-ignore-ctime: do, whatever the configuration says)'
complete -c dumpme -l no-ignore-ctime
complete -c dumpme -s x -l one-file-system -d 'Do not enter other filesystems below a tree, nor touch them: an empty directory stands for each, and -v names it (--no-one-file-system: enter them, whatever the configuration says)'
complete -c dumpme -l no-one-file-system
complete -c dumpme -l idle -d 'Use disks and processors only when nobody else wants them (--no-idle: do not, whatever the configuration says)'
complete -c dumpme -l no-idle
complete -c dumpme -s v -l verbose -d 'List what is stored anew and why, and what is excluded; twice: also what is linked'
complete -c dumpme -s q -l quiet -d 'No report, no warnings: only what went wrong, as cron should mail it'
complete -c dumpme -l json -d 'Print the report as one JSON object'
complete -c dumpme -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpme -l no-progress -d 'Show no progress'
complete -c dumpme -s h -l help -d 'Print help'
complete -c dumpme -s V -l version -d 'Print version'
