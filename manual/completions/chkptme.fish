complete -c chkptme -l dump -d 'Dump root, whose newest dump is copied [env: DUMPROOT, the first existing of a colon-separated list] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c chkptme -l main -d 'Main tree, where a good version of a damaged file is looked for; give it again for several [env: MAINROOT, likewise] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c chkptme -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c chkptme -l set -d 'Use a set: [set.NAME] in the configuration file, or NAME.toml beside it; \'dump\' is the top level' -r
complete -c chkptme -s j -l jobs -d 'Number of workers [default: chosen from the disks and processors]' -r
complete -c chkptme -l bwlimit -d 'Copy contents no faster than this a second, in rsync\'s syntax: 500 for 500 KiB, 1.5m, 20MB; 0 for no limit, the default' -r
complete -c chkptme -l log -d 'Where the log goes: auto, journal, syslog or stderr [default: auto: the journal under systemd, or where there is one and stderr is no terminal; else stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c chkptme -l print-config -d 'Print what is in force and where it comes from, and do nothing'
complete -c chkptme -s n -l dry-run -d 'Only tell how much would be copied (with -v: list it)'
complete -c chkptme -l verify -d 'Read the copy back from the disk, past the cache, and compare it with the dump; a checkpoint that differs is not published'
complete -c chkptme -l no-space-check -d 'Begin even when the dump disk clearly cannot hold the copy'
complete -c chkptme -l idle -d 'Use disks and processors only when nobody else wants them (--no-idle: do not, whatever the configuration says)'
complete -c chkptme -l no-idle
complete -c chkptme -s v -l verbose -d 'List what is stored anew and why, and what is excluded; twice: also what is linked'
complete -c chkptme -s q -l quiet -d 'No report, no warnings: only what went wrong, as cron should mail it'
complete -c chkptme -l json -d 'Print the report as one JSON object'
complete -c chkptme -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c chkptme -l no-progress -d 'Show no progress'
complete -c chkptme -s h -l help -d 'Print help (see more with \'--help\')'
complete -c chkptme -s V -l version -d 'Print version'
