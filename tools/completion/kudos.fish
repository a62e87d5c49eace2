# SPDX-License-Identifier: MIT
# Completion for fish: the programs know their words themselves (PROGRAM --complete WORD...).
function __kudos_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    for line in (command $words[1] --complete $words[2..-1] "$typed" 2>/dev/null)
        switch $line
            case '<file>'
                __fish_complete_path "$typed"
            case '<folder>'
                __fish_complete_directories "$typed"
            case '*'
                echo $line
        end
    end
end
for program in kudos kudos-cluster kudos-export kudos-gateway kudos-import kudos-leader kudos-load kudos-server
    complete -c $program -f -a '(__kudos_complete)'
end
