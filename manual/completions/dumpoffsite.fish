# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_dumpoffsite_global_optspecs
    string join \n main= dump= config= set= print-config bwlimit= idle no-idle v/verbose q/quiet log= json progress no-progress h/help V/version
end

function __fish_dumpoffsite_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_dumpoffsite_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_dumpoffsite_using_subcommand
    set -l cmd (__fish_dumpoffsite_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c dumpoffsite -n "__fish_dumpoffsite_needs_command" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpoffsite -n "__fish_dumpoffsite_needs_command" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpoffsite -n "__fish_dumpoffsite_needs_command" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpoffsite -n "__fish_dumpoffsite_needs_command" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpoffsite -n "__fish_dumpoffsite_needs_command" -l bwlimit -d 'Limit the rate at which data is sent to the repository, per second and in rsync\'s syntax: 500 (KiB), 1.5m, 20MB [default: 0, no limit]. It holds on average: data is sent in packs of tens of MB' -r
complete -c dumpoffsite -n "__fish_dumpoffsite_needs_command" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpoffsite -n "__fish_dumpoffsite_needs_command" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpoffsite -n "__fish_dumpoffsite_needs_command" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpoffsite -n "__fish_dumpoffsite_needs_command" -l no-idle
complete -c dumpoffsite -n "__fish_dumpoffsite_needs_command" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpoffsite -n "__fish_dumpoffsite_needs_command" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpoffsite -n "__fish_dumpoffsite_needs_command" -l json -d 'Print the report as one JSON object'
complete -c dumpoffsite -n "__fish_dumpoffsite_needs_command" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpoffsite -n "__fish_dumpoffsite_needs_command" -l no-progress -d 'Show no progress'
complete -c dumpoffsite -n "__fish_dumpoffsite_needs_command" -s h -l help -d 'Print help'
complete -c dumpoffsite -n "__fish_dumpoffsite_needs_command" -s V -l version -d 'Print version'
complete -c dumpoffsite -n "__fish_dumpoffsite_needs_command" -f -a "init" -d 'Make the repository'
complete -c dumpoffsite -n "__fish_dumpoffsite_needs_command" -f -a "push" -d 'Store dumps in the repository; without arguments the newest dump of every tree of the set'
complete -c dumpoffsite -n "__fish_dumpoffsite_needs_command" -f -a "list" -d 'List the snapshots in the repository, oldest first'
complete -c dumpoffsite -n "__fish_dumpoffsite_needs_command" -f -a "check" -d 'Check that the repository has everything that its snapshots need'
complete -c dumpoffsite -n "__fish_dumpoffsite_needs_command" -f -a "restore" -d 'Restore a path from the repository into an empty directory'
complete -c dumpoffsite -n "__fish_dumpoffsite_needs_command" -f -a "prune" -d 'Forget the snapshots that no rule keeps, and reclaim their space'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand init" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand init" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand init" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand init" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand init" -l bwlimit -d 'Limit the rate at which data is sent to the repository, per second and in rsync\'s syntax: 500 (KiB), 1.5m, 20MB [default: 0, no limit]. It holds on average: data is sent in packs of tens of MB' -r
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand init" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand init" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand init" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand init" -l no-idle
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand init" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand init" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand init" -l json -d 'Print the report as one JSON object'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand init" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand init" -l no-progress -d 'Show no progress'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand init" -s h -l help -d 'Print help'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand push" -l since -d 'Push all dumps from this moment on: a dump, a date, or how long ago (3d, 2w)' -r
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand push" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand push" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand push" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand push" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand push" -l bwlimit -d 'Limit the rate at which data is sent to the repository, per second and in rsync\'s syntax: 500 (KiB), 1.5m, 20MB [default: 0, no limit]. It holds on average: data is sent in packs of tens of MB' -r
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand push" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand push" -l all -d 'Push all dumps'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand push" -s n -l dry-run -d 'Store nothing; show what would be pushed'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand push" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand push" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand push" -l no-idle
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand push" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand push" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand push" -l json -d 'Print the report as one JSON object'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand push" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand push" -l no-progress -d 'Show no progress'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand push" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand list" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand list" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand list" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand list" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand list" -l bwlimit -d 'Limit the rate at which data is sent to the repository, per second and in rsync\'s syntax: 500 (KiB), 1.5m, 20MB [default: 0, no limit]. It holds on average: data is sent in packs of tens of MB' -r
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand list" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand list" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand list" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand list" -l no-idle
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand list" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand list" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand list" -l json -d 'Print the report as one JSON object'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand list" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand list" -l no-progress -d 'Show no progress'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand list" -s h -l help -d 'Print help'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand check" -l read-data-subset -d 'Also read a part of the data: the first of seven parts (1/7), or 5% or 10GB chosen at random' -r
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand check" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand check" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand check" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand check" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand check" -l bwlimit -d 'Limit the rate at which data is sent to the repository, per second and in rsync\'s syntax: 500 (KiB), 1.5m, 20MB [default: 0, no limit]. It holds on average: data is sent in packs of tens of MB' -r
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand check" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand check" -l read-data -d 'Also read all data, and compare it with its checksums'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand check" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand check" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand check" -l no-idle
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand check" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand check" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand check" -l json -d 'Print the report as one JSON object'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand check" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand check" -l no-progress -d 'Show no progress'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand check" -s h -l help -d 'Print help'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand restore" -l at -d 'From which dump: its name, path or pin; or the newest one of a date, or of how long ago (12h, 3d, 2w, 1y6mo)' -r
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand restore" -l to -d 'Restore into this directory' -r -f -a "(__fish_complete_directories)"
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand restore" -l host -d 'The machine that pushed it [default: this one]' -r
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand restore" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand restore" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand restore" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand restore" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand restore" -l bwlimit -d 'Limit the rate at which data is sent to the repository, per second and in rsync\'s syntax: 500 (KiB), 1.5m, 20MB [default: 0, no limit]. It holds on average: data is sent in packs of tens of MB' -r
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand restore" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand restore" -s n -l dry-run -d 'Restore nothing; show what would be restored'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand restore" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand restore" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand restore" -l no-idle
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand restore" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand restore" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand restore" -l json -d 'Print the report as one JSON object'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand restore" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand restore" -l no-progress -d 'Show no progress'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand prune" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand prune" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand prune" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand prune" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand prune" -l bwlimit -d 'Limit the rate at which data is sent to the repository, per second and in rsync\'s syntax: 500 (KiB), 1.5m, 20MB [default: 0, no limit]. It holds on average: data is sent in packs of tens of MB' -r
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand prune" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand prune" -s n -l dry-run -d 'Change nothing; show which snapshots would go, and why the others stay'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand prune" -l force -d 'Forget without asking, however many snapshots go at once'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand prune" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand prune" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand prune" -l no-idle
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand prune" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand prune" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand prune" -l json -d 'Print the report as one JSON object'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand prune" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand prune" -l no-progress -d 'Show no progress'
complete -c dumpoffsite -n "__fish_dumpoffsite_using_subcommand prune" -s h -l help -d 'Print help (see more with \'--help\')'
