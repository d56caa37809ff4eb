complete -c hist -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c hist -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c hist -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c hist -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c hist -s s -l since -d 'Start at this dump (its name, path or pin), at a date (today, yesterday, d, dd, mmdd, yymmdd, yyyymmdd, yyyy-mm-dd, 2026-11-22T23:31), or so long ago (12h, 3d, 2w, 1y6mo). Without a year or a month it is the last such day: for a path in a dump, the last before that dump' -r
complete -c hist -l log -d 'Log warnings and errors, besides stderr, to: auto, journal, syslog or stderr [default: no log]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c hist -l color -d 'Use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c hist -l help -d 'Print help'
complete -c hist -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c hist -s y -l yearly -d 'Only the last version of each year'
complete -c hist -s m -l monthly -d 'Only the last version of each month'
complete -c hist -s d -l daily -d 'Only the last version of each day'
complete -c hist -s h -l hourly -d 'Only the last version of each hour'
complete -c hist -l with-main -d 'Include the current version in the tree, marked as such'
complete -c hist -l follow -d 'Follow renames: when the path first appears, look in the dump before for the name it had, and continue there. That is a name of the same inode, or one that has disappeared and has the same type, size, modification time and contents (for a directory: names in it). A path that was also changed, or for which there are two candidates, is not found. The catalog is asked where there is one; without it both dumps are listed completely each time'
complete -c hist -s q -l quiet -d 'Print errors only, no warnings'
complete -c hist -s v -l verbose -d 'List the contents of directories; with --json as `names`'
complete -c hist -s c -l no-diff -d 'Print no diffs, and on a terminal not what changed: one line per event'
complete -c hist -s t -l text -d 'Print diffs also of files that are not text'
complete -c hist -l json -d 'Print one JSON object per line'
complete -c hist -s D -d 'Taken for the sake of old habits: it showed how the answer came about'
complete -c hist -s V -l version -d 'Print version'
