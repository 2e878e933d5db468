#compdef mpqc
# zsh completion of mpqc. Save it as _mpqc in a folder of $fpath, or load it after compinit with
#   source <(mpqc completion zsh)
_mpqc() {
  local line words_of tab=$'\t'
  local -a values
  for line in "${(@f)$(${~words[1]} __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
      '') ;;
      ':files /') compset -P '--*='; _files -/ ;;
      ':files '*) compset -P '--*='; _files -g "${line#:files }" ;;
      *)
        words_of=${line#*$tab}
        values+=("${${line%%$tab*}//:/\\:}${words_of:+:$words_of}")
        ;;
    esac
  done
  (( $#values )) && _describe mpqc values
}
if [[ $funcstack[1] == _mpqc ]]; then
  _mpqc "$@"
else
  compdef _mpqc mpqc
fi
