complete -c dumpweb -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpweb -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpweb -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpweb -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpweb -l listen -d 'Where to listen: 127.0.0.1:PORT, [::1]:PORT, or unix:PATH for a proxy that knows who asks [default: a free port of 127.0.0.1, or the socket that systemd has opened]' -r
complete -c dumpweb -l host -d 'A further name that the page is served under, as browsers send it; can be given several times. Other names are refused' -r
complete -c dumpweb -l user -d 'As root: become this user, and show what that one may read' -r
complete -c dumpweb -l end-after -d 'End when nobody has looked for this long: 30min, 8h; 0 for never' -r
complete -c dumpweb -l log -d 'Log warnings and errors, besides stderr, to: auto, journal, syslog or stderr [default: no log]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpweb -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpweb -l no-open -d 'Do not open a browser'
complete -c dumpweb -l url -d 'Print the addresses of those that run, with their tokens, the one that was started last first, and exit; with --dump only of those that show that dump root'
complete -c dumpweb -l print-url -d 'Print the address, with its token, as the first line'
complete -c dumpweb -s q -l quiet -d 'Print errors only, no warnings'
complete -c dumpweb -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dumpweb -s V -l version -d 'Print version'
