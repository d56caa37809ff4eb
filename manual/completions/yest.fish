complete -c yest -l main -d 'Tree to read; give it again for several [env: MAINROOT, the first existing of a colon-separated list] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c yest -l dump -d 'Dump root, where dumps are kept [env: DUMPROOT, likewise] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c yest -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c yest -l set -d 'Use a set: [set.NAME] in the configuration file, or NAME.toml beside it; \'dump\' is the top level' -r
complete -c yest -s y -l years -d 'So many years ago' -r
complete -c yest -s m -l months -d 'So many months ago' -r
complete -c yest -s d -l days -d 'So many days ago [default: 1, when nothing else is said]' -r
complete -c yest -s h -l hours -d 'So many hours ago' -r
complete -c yest -l date -d 'At the end of a day (today, yesterday, d or dd of this month, mmdd of this year, yymmdd, yyyymmdd, yyyy-mm-dd), or at a moment (2026-11-22T23:31, 2026-11-22T23:31:00Z); of a path in a dump, d, dd and mmdd are of that dump\'s month and year. In the future it means the newest dump' -r
complete -c yest -l exec -d 'Run a shell command on the old name and the path: --exec \'cmp -l\'' -r -f -a "(__fish_complete_command)"
complete -c yest -l log -d 'Where warnings and errors go besides stderr: auto, journal, syslog or stderr [default: nowhere else]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c yest -l color -d 'Colours in diffs' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c yest -l print-config -d 'Print what is in force and where it comes from, and do nothing'
complete -c yest -l last -d 'The newest version that any dump has, also if it was deleted since'
complete -c yest -s n -l no-check -d 'Print the name even if there is nothing of that name'
complete -c yest -l diff -d 'Show what has changed since, as a unified diff'
complete -c yest -l copy -d 'Restore it over the path, with all its metadata and the directories above it that are gone. A directory becomes as it was: what it has gained since goes. Asks before it replaces something, and says what would go: without a terminal that takes --force'
complete -c yest -l copy-if-differs -d 'The same, but only where it differs'
complete -c yest -s q -l quiet -d 'No warnings: only what went wrong'
complete -c yest -l force -d 'Replace what is there without asking'
complete -c yest -s v -l verbose -d 'Say what was restored, and from where, also where no terminal is'
complete -c yest -s t -l text -d 'With --diff: also of what is not text'
complete -c yest -l json -d 'Print one JSON object a path'
complete -c yest -l help -d 'Print help'
complete -c yest -s D -d 'Taken for the sake of old habits: it showed how the answer came about'
complete -c yest -s V -l version -d 'Print version'
