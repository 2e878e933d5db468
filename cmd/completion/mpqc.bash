# bash completion of mpqc, also for the bash 3.2 of macOS. Load it with
#   source <(mpqc completion bash)
_mpqc() {
  local program=${COMP_WORDS[0]/#\~/$HOME} current=${COMP_WORDS[COMP_CWORD]} line path
  [[ $current == "=" ]] && current=
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      ":files "*)
        compopt -o filenames 2>/dev/null
        while IFS= read -r path; do
          COMPREPLY+=("$path")
        done < <(compgen -d -- "$current"; [[ $line == ":files /" ]] || compgen -f -X "!${line#:files }" -- "$current" | while IFS= read -r path; do
          [[ -d $path ]] || printf '%s\n' "$path"
        done)
        ;;
      *) COMPREPLY+=("${line%%$'\t'*}") ;;
    esac
  done < <("$program" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _mpqc mpqc
