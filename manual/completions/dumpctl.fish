# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_dumpctl_global_optspecs
    string join \n main= dump= config= set= print-config j/jobs= idle no-idle v/verbose q/quiet log= json progress no-progress h/help V/version
end

function __fish_dumpctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_dumpctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_dumpctl_using_subcommand
    set -l cmd (__fish_dumpctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c dumpctl -n "__fish_dumpctl_needs_command" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_needs_command" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_needs_command" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpctl -n "__fish_dumpctl_needs_command" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpctl -n "__fish_dumpctl_needs_command" -s j -l jobs -d 'Number of workers [default: chosen by disk and processors]' -r
complete -c dumpctl -n "__fish_dumpctl_needs_command" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpctl -n "__fish_dumpctl_needs_command" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -l no-idle
complete -c dumpctl -n "__fish_dumpctl_needs_command" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -l json -d 'Print the report as one JSON object'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -l no-progress -d 'Show no progress'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -s h -l help -d 'Print help'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -s V -l version -d 'Print version'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -f -a "status" -d 'Show the state of the dump roots, with what needs attention first'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -f -a "list" -d 'List the dumps, oldest first, with what each added and what removing it would free'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -f -a "diff" -d 'Show what differs between two dumps, or between a dump and the trees as they are now'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -f -a "find" -d 'Find files and directories by name in all dumps'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -f -a "du" -d 'Show what dumps, trees and paths cost over all of history'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -f -a "restore" -d 'Restore paths from a dump, with owners, ACLs, extended attributes, hard links and devices'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -f -a "prune" -d 'Remove the dumps that no policy keeps'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -f -a "remove" -d 'Remove dumps. No other dump needs them'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -f -a "pin" -d 'Keep a dump under a name'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -f -a "unpin" -d 'Remove a pin. Its dump stays until something else removes it'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -f -a "import" -d 'Import the dated copies that another program made'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -f -a "shadow-copies" -d 'Keep a directory of links for Samba, by which Windows shows dumps as previous versions'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -f -a "erase" -d 'Take paths out of all dumps of a dump root, for good'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -f -a "scrub" -d 'Read the dumps from the disk, and find what is not as it was stored'
complete -c dumpctl -n "__fish_dumpctl_needs_command" -f -a "catalog" -d 'Show what is remembered between runs, make it again, or compare it with the dumps'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand status" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand status" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand status" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpctl -n "__fish_dumpctl_using_subcommand status" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand status" -s j -l jobs -d 'Number of workers [default: chosen by disk and processors]' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand status" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand status" -l prometheus -d 'Print metrics in the text format of Prometheus'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand status" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand status" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand status" -l no-idle
complete -c dumpctl -n "__fish_dumpctl_using_subcommand status" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand status" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand status" -l json -d 'Print the report as one JSON object'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand status" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand status" -l no-progress -d 'Show no progress'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand status" -s h -l help -d 'Print help'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand list" -l since -d 'Only dumps made since: a dump (its name, path or pin), a date, or how long ago (12h, 3d, 2w, 1y6mo)' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand list" -l tree -d 'Only dumps that hold the tree of this name' -r -f
complete -c dumpctl -n "__fish_dumpctl_using_subcommand list" -l last -d 'Only the newest N dumps' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand list" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand list" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand list" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpctl -n "__fish_dumpctl_using_subcommand list" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand list" -s j -l jobs -d 'Number of workers [default: chosen by disk and processors]' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand list" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand list" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand list" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand list" -l no-idle
complete -c dumpctl -n "__fish_dumpctl_using_subcommand list" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand list" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand list" -l json -d 'Print the report as one JSON object'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand list" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand list" -l no-progress -d 'Show no progress'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand list" -s h -l help -d 'Print help'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand diff" -l color -d 'Use colours: auto (on a terminal, unless NO_COLOR is set), always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand diff" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand diff" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand diff" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpctl -n "__fish_dumpctl_using_subcommand diff" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand diff" -s j -l jobs -d 'Number of workers [default: chosen by disk and processors]' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand diff" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand diff" -l stat -d 'Show how many entries changed, and how much space that takes'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand diff" -s p -l patch -d 'Show the changed lines of text files'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand diff" -l exit-code -d 'Exit with 1 if there are differences'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand diff" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand diff" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand diff" -l no-idle
complete -c dumpctl -n "__fish_dumpctl_using_subcommand diff" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand diff" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand diff" -l json -d 'Print the report as one JSON object'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand diff" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand diff" -l no-progress -d 'Show no progress'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand diff" -s h -l help -d 'Print help'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand find" -l since -d 'Only what a dump made since then has: a dump (its name, path or pin), a date, or how long ago (12h, 3d, 2w, 1y6mo)' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand find" -l larger -d 'Only what takes more space than this: 500K, 10M, 1.5G' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand find" -l path -d 'Only at or below this path of a tree, which need not exist any more' -r -F
complete -c dumpctl -n "__fish_dumpctl_using_subcommand find" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand find" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand find" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpctl -n "__fish_dumpctl_using_subcommand find" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand find" -s j -l jobs -d 'Number of workers [default: chosen by disk and processors]' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand find" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand find" -s i -l ignore-case -d 'Whatever the case of letters'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand find" -l regex -d 'The patterns are regular expressions, which may match a part'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand find" -l deleted -d 'Only what the newest dump of its tree lacks'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand find" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand find" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand find" -l no-idle
complete -c dumpctl -n "__fish_dumpctl_using_subcommand find" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand find" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand find" -l json -d 'Print the report as one JSON object'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand find" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand find" -l no-progress -d 'Show no progress'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand find" -s h -l help -d 'Print help'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand du" -l path -d 'Only what is at or below this path of a tree, which need not exist any more' -r -F
complete -c dumpctl -n "__fish_dumpctl_using_subcommand du" -l tree -d 'Only the tree of this name' -r -f
complete -c dumpctl -n "__fish_dumpctl_using_subcommand du" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand du" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand du" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpctl -n "__fish_dumpctl_using_subcommand du" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand du" -s j -l jobs -d 'Number of workers [default: chosen by disk and processors]' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand du" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand du" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand du" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand du" -l no-idle
complete -c dumpctl -n "__fish_dumpctl_using_subcommand du" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand du" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand du" -l json -d 'Print the report as one JSON object'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand du" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand du" -l no-progress -d 'Show no progress'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand du" -s h -l help -d 'Print help'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -l at -d 'From which dump: its name, path or pin; or the newest one of a date, or of how long ago (12h, 3d, 2w, 1y6mo)' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -l to -d 'Restore into this directory, which is made if it is missing' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -l overwrite -d 'What to replace of what exists and differs: always, if-newer (only what was modified before the version was), or never' -r -f -a "always\t''
if-newer\t''
never\t''"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -l backup -d 'Move what is replaced or deleted to this directory of your own, on the same filesystem' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -l files-from -d 'Read more paths from this file, one a line; - for stdin' -r -F
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -s j -l jobs -d 'Number of workers [default: chosen by disk and processors]' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -l in-place -d 'Restore to where it was'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -l delete -d 'In directories that are restored, delete what the dump does not have, but not what the exclude rules leave out of dumps'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -l delete-excluded -d 'Delete also what is excluded from dumps'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -l verify -d 'Compare everything with the dump again afterwards'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -s n -l dry-run -d 'Change nothing; show what would be made, replaced and deleted'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -l force -d 'Replace and delete without asking'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -l no-idle
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -l json -d 'Print the report as one JSON object'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -l no-progress -d 'Show no progress'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l keep-last -d 'Keep the last dumps: a number, or those of a span of time' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l keep-hourly -d 'Keep a dump of each hour' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l keep-daily -d 'Keep a dump of each day' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l keep-weekly -d 'Keep a dump of each week' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l keep-monthly -d 'Keep a dump of each month' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l keep-yearly -d 'Keep a dump of each year' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l keep-within -d 'Keep all dumps of this span of time before the newest' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l keep-within-hourly -d 'Keep a dump of each hour of this span of time' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l keep-within-daily -d 'Keep a dump of each day of this span of time' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l keep-within-weekly -d 'Keep a dump of each week of this span of time' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l keep-within-monthly -d 'Keep a dump of each month of this span of time' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l keep-within-yearly -d 'Keep a dump of each year of this span of time' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l keep-checkpoints -d 'Keep the newest N checkpoints' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l free -d 'Remove the oldest dumps, beyond the rules, until this much is free: a part of the disk (10%) or a size (50GiB). Not those of --keep-last, nor checkpoints that are kept' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l at-least -d 'With --free: keep the last dump of each day of this span [default: 7d]' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l tree -d 'Only dumps that hold the tree of this name' -r -f
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -s j -l jobs -d 'Number of workers [default: chosen by disk and processors]' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -s n -l dry-run -d 'Change nothing; show which dumps would go, and why the others stay'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l force -d 'Remove without asking, however many dumps go at once'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l no-idle
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l json -d 'Print the report as one JSON object'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -l no-progress -d 'Show no progress'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand prune" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand remove" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand remove" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand remove" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpctl -n "__fish_dumpctl_using_subcommand remove" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand remove" -s j -l jobs -d 'Number of workers [default: chosen by disk and processors]' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand remove" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand remove" -s n -l dry-run -d 'Change nothing; show what would be removed and how much that would free'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand remove" -l force -d 'Remove without asking, and also remove `first`, a copy made by hand'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand remove" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand remove" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand remove" -l no-idle
complete -c dumpctl -n "__fish_dumpctl_using_subcommand remove" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand remove" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand remove" -l json -d 'Print the report as one JSON object'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand remove" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand remove" -l no-progress -d 'Show no progress'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand pin" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand pin" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand pin" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpctl -n "__fish_dumpctl_using_subcommand pin" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand pin" -s j -l jobs -d 'Number of workers [default: chosen by disk and processors]' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand pin" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand pin" -s n -l dry-run -d 'Change nothing; show what would be pinned'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand pin" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand pin" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand pin" -l no-idle
complete -c dumpctl -n "__fish_dumpctl_using_subcommand pin" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand pin" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand pin" -l json -d 'Print the report as one JSON object'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand pin" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand pin" -l no-progress -d 'Show no progress'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand pin" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand unpin" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand unpin" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand unpin" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpctl -n "__fish_dumpctl_using_subcommand unpin" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand unpin" -s j -l jobs -d 'Number of workers [default: chosen by disk and processors]' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand unpin" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand unpin" -s n -l dry-run -d 'Change nothing; show what would be removed'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand unpin" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand unpin" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand unpin" -l no-idle
complete -c dumpctl -n "__fish_dumpctl_using_subcommand unpin" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand unpin" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand unpin" -l json -d 'Print the report as one JSON object'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand unpin" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand unpin" -l no-progress -d 'Show no progress'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand unpin" -s h -l help -d 'Print help'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand import" -l within -d 'The tree in each copy [default: the whole copy; of dumps all trees]' -r -F
complete -c dumpctl -n "__fish_dumpctl_using_subcommand import" -l root-name -d 'Name of the tree in the dumps [default: the last part of its path in a copy, or else of DIR]' -r -f
complete -c dumpctl -n "__fish_dumpctl_using_subcommand import" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand import" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand import" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpctl -n "__fish_dumpctl_using_subcommand import" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand import" -s j -l jobs -d 'Number of workers [default: chosen by disk and processors]' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand import" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand import" -l checksum -d 'Compare the contents of every file, instead of taking one of the same size and modification time for unchanged'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand import" -l init -d 'The dump root has no dump yet'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand import" -s n -l dry-run -d 'Only print what would be imported'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand import" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand import" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand import" -l no-idle
complete -c dumpctl -n "__fish_dumpctl_using_subcommand import" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand import" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand import" -l json -d 'Print the report as one JSON object'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand import" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand import" -l no-progress -d 'Show no progress'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand import" -s h -l help -d 'Print help'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand shadow-copies" -l to -d 'Directory of the links, outside of the dump root; made when it is missing [default: dir of [shadow_copies]]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand shadow-copies" -l tree -d 'Name in the dumps of the tree that they lead to [default: the only one]' -r -f
complete -c dumpctl -n "__fish_dumpctl_using_subcommand shadow-copies" -l through -d 'Let the links lead through this path to the dump root: a read-only mount of it, so that no client of Samba can write into a dump' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand shadow-copies" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand shadow-copies" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand shadow-copies" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpctl -n "__fish_dumpctl_using_subcommand shadow-copies" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand shadow-copies" -s j -l jobs -d 'Number of workers [default: chosen by disk and processors]' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand shadow-copies" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand shadow-copies" -s n -l dry-run -d 'Change nothing; show what would be made and removed'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand shadow-copies" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand shadow-copies" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand shadow-copies" -l no-idle
complete -c dumpctl -n "__fish_dumpctl_using_subcommand shadow-copies" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand shadow-copies" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand shadow-copies" -l json -d 'Print the report as one JSON object'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand shadow-copies" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand shadow-copies" -l no-progress -d 'Show no progress'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand shadow-copies" -s h -l help -d 'Print help'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand erase" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand erase" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand erase" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpctl -n "__fish_dumpctl_using_subcommand erase" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand erase" -s j -l jobs -d 'Number of workers [default: chosen by disk and processors]' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand erase" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand erase" -l glob -d 'The paths are patterns, as for `dumpctl find`'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand erase" -s n -l dry-run -d 'Change nothing; show what would be erased, and from which dumps'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand erase" -l force -d 'Erase without asking'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand erase" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand erase" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand erase" -l no-idle
complete -c dumpctl -n "__fish_dumpctl_using_subcommand erase" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand erase" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand erase" -l json -d 'Print the report as one JSON object'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand erase" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand erase" -l no-progress -d 'Show no progress'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand erase" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -l since -d 'Only dumps made since: a dump (its name, path or pin), a date, or how long ago (12h, 3d, 2w, 1y6mo)' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -l time -d 'Read for this long (90min, 1h), what was not read for longest first' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -l bwlimit -d 'Limit the rate at which files are read, per second and in rsync\'s syntax: 500 (KiB), 1.5m, 20MB [default: 0, no limit]' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -l from -d 'Dump root that may have good copies; it can be given several times, besides those of [slave]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -s j -l jobs -d 'Number of workers [default: chosen by disk and processors]' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -l source -d 'Read the trees instead of the dumps, and name files whose contents are not those that were dumped although their times have not changed; changes nothing'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -l heal -d 'Put a good copy in the place of each damaged file, in all dumps that have it; the damaged one is kept in .dump/damaged'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -l discard -d 'Do not keep the damaged files that are healed'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -s n -l dry-run -d 'Read nothing; show how much would be read'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -l no-idle
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -l json -d 'Print the report as one JSON object'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -l no-progress -d 'Show no progress'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand scrub" -s h -l help -d 'Print help'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand catalog" -l main -d 'Tree that is dumped; can be given several times [env: MAINROOT, the first directory of a colon-separated list that exists] [default: /newage/NEWAGE]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand catalog" -l dump -d 'Dump root: the directory that holds the dumps [env: DUMPROOT, a list like MAINROOT] [default: /dump]' -r -f -a "(__fish_complete_directories)"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand catalog" -l config -d 'Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then /etc/dump/dump.toml]' -r -F
complete -c dumpctl -n "__fish_dumpctl_using_subcommand catalog" -l set -d 'Use a set: [set.NAME] in the configuration file, or the file NAME.toml beside it; \'dump\' is the top level' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand catalog" -s j -l jobs -d 'Number of workers [default: chosen by disk and processors]' -r
complete -c dumpctl -n "__fish_dumpctl_using_subcommand catalog" -l log -d 'Where to log: auto, journal, syslog or stderr [default: auto: to the journal when there is one and stderr is not a terminal, else to stderr]' -r -f -a "auto\t'Chosen by what is there'
journal\t'The systemd journal'
syslog\t'The system log'
stderr\t'Standard error'"
complete -c dumpctl -n "__fish_dumpctl_using_subcommand catalog" -l all -d 'With check: all dumps, not only the newest of each tree'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand catalog" -s n -l dry-run -d 'With rebuild: change nothing; show which dumps would be recorded'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand catalog" -l print-config -d 'Print the settings in force and where each comes from, then exit'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand catalog" -l idle -d 'Use disks and processors only when they are idle (--no-idle overrides the configuration)'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand catalog" -l no-idle
complete -c dumpctl -n "__fish_dumpctl_using_subcommand catalog" -s v -l verbose -d 'Also log the start and the end to stderr'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand catalog" -s q -l quiet -d 'Print only errors and what needs attention; suits cron mail'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand catalog" -l json -d 'Print the report as one JSON object'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand catalog" -l progress -d 'Show progress on stderr [default: when stderr is a terminal]'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand catalog" -l no-progress -d 'Show no progress'
complete -c dumpctl -n "__fish_dumpctl_using_subcommand catalog" -s h -l help -d 'Print help'
