complete -c yest -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c yest -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c yest -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c yest -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c yest -s y -l years -d 'Number of years ago' -r
complete -c yest -s m -l months -d 'Number of months ago' -r
complete -c yest -s d -l days -d 'Number of days ago [default: 1, if no other time is given]' -r
complete -c yest -s h -l hours -d 'Number of hours ago' -r
complete -c yest -l date -l at -d 'At the end of a day (today, yesterday, d, dd, mmdd, yymmdd, yyyymmdd, yyyy-mm-dd), at a time (2026-11-22T23:31, 2026-11-22T23:31:00Z), so long ago (12h, 3d, 2w, 1y6mo), or in a dump, by its name, path or pin. Without a year or a month it is the last such day: of a path in a dump, the last before that dump. A date in the future means the newest dump' -r
complete -c yest -l exec -d 'Run a shell command with the old name and the path as arguments: --exec \'cmp -l\'' -r -f -a "(__fish_complete_command)"
complete -c yest -l log -d 'Log warnings and errors, besides stderr, to: auto, journal, syslog or stderr [default: no log]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c yest -l color -d 'Use colours in diffs: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c yest -l help -d 'Print help'
complete -c yest -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c yest -l last -d 'The newest version in any dump, even if the path was deleted since'
complete -c yest -s n -l no-check -d 'Print the name even if it does not exist'
complete -c yest -l diff -d 'Show what has changed since as a unified diff'
complete -c yest -l copy -d 'Restore the path with all its metadata, and missing directories above it. Restores a directory exactly; anything added since is deleted. Asks before it replaces anything, and says what would be deleted; without a terminal, --force is needed'
complete -c yest -l copy-if-differs -d 'Like --copy, but leave the path alone if it does not differ'
complete -c yest -s q -l quiet -d 'Print errors only, no warnings'
complete -c yest -l force -d 'Replace without asking'
complete -c yest -s v -l verbose -d 'Say what was restored and from where, even if stderr is not a terminal'
complete -c yest -s t -l text -d 'With --diff: also compare files that are not text'
complete -c yest -l json -d 'Print one JSON object per path'
complete -c yest -s D -d 'Taken for the sake of old habits: it showed how the answer came about'
complete -c yest -s V -l version -d 'Print version'
