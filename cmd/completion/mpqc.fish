# fish completion of mpqc. Save it as ~/.config/fish/completions/mpqc.fish, or load it with
#   mpqc completion fish | source
function __mpqc_complete
    set -l words (commandline -opc)
    set -l program $words[1]
    set -e words[1]
    set -l current (commandline -ct)
    set -l flag (string match -r -- '^--[^=]+=' "$current"; or echo '')
    set -l path (string replace -- "$flag" '' "$current")
    for line in ($program __complete $words "$current" 2>/dev/null)
        if string match -q ':files *' -- $line
            set -l pattern (string replace ':files ' '' -- $line)
            for found in $path*
                if test -d "$found"
                    echo "$flag$found/"
                else if string match -q -- "$pattern" "$found"
                    echo "$flag$found"
                end
            end
        else
            echo $line
        end
    end
end
complete -c mpqc -f -a '(__mpqc_complete)'
