complete -c hist -l main -d 'Tree to read; give it again for several [env: MAINROOT, the first existing of a colon-separated list] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c hist -l dump -d 'Dump root, where dumps are kept [env: DUMPROOT, likewise] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c hist -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c hist -l set -d 'Use a set: [set.NAME] in the configuration file, or NAME.toml beside it; \'dump\' is the top level' -r
complete -c hist -s s -l since -d 'Begin with this dump, or this date: today, yesterday, d or dd of this month, mmdd of this year, yymmdd, yyyymmdd, yyyy-mm-dd, 2026-11-22T23:31; where PATH lies in a dump, d, dd and mmdd are of that dump\'s month and year' -r -F
complete -c hist -l log -d 'Where warnings and errors go besides stderr: auto, journal, syslog or stderr [default: nowhere else]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c hist -l color -d 'Colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c hist -l print-config -d 'Print what is in force and where it comes from, and do nothing'
complete -c hist -s y -l yearly -d 'Only the last version of each year'
complete -c hist -s m -l monthly -d 'Only the last version of each month'
complete -c hist -s d -l daily -d 'Only the last version of each day'
complete -c hist -s h -l hourly -d 'Only the last version of each hour'
complete -c hist -l with-main -d 'Also the version in the main tree now, marked as such'
complete -c hist -l follow -d 'When the path appears: look in the dump before for the name it had, and go on there. That is a name of the same inode; or one that is gone since, with the same type, size, modification time and contents (of a directory: names in it). What was changed as well, or could be either of two, is not found. Lists all of both dumps each time'
complete -c hist -s q -l quiet -d 'No warnings: only what went wrong'
complete -c hist -s v -l verbose -d 'Also the listing of a directory; with --json as `names`'
complete -c hist -s c -l no-diff -d 'No diffs, and on a terminal nothing of what changed: one line each'
complete -c hist -s t -l text -d 'Diffs also of what is not text'
complete -c hist -l json -d 'Print one JSON object a line'
complete -c hist -l help -d 'Print help'
complete -c hist -s D -d 'Taken for the sake of old habits: it showed how the answer came about'
complete -c hist -s V -l version -d 'Print version'
