import type { Context } from '../context.ts'
import { CommandFailure } from '../failure.ts'

/** `completion bash|zsh|fish` */
export async function run(
  { program, stdout }: Context,
  _flags: object,
  [shell = '']: readonly string[],
): Promise<void> {
  const script = new Map([
    ['bash', bash],
    ['zsh', zsh],
    ['fish', fish],
  ]).get(shell)
  if (script === undefined) {
    throw new CommandFailure(`there is no completion for ${shell}: choose bash, zsh or fish`)
  }
  stdout.write(script.replaceAll('PROGRAM', program))
}

// Each script hands the words up to the cursor to the program, and gets a candidate a line.

const bash = String.raw`# bash completion for PROGRAM: source <(PROGRAM completion bash)
_PROGRAM_complete() {
  local cur words cword line
  if declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref -n '=:@' cur words cword
  else
    cur=${'$'}{COMP_WORDS[COMP_CWORD]} words=("${'$'}{COMP_WORDS[@]}") cword=$COMP_CWORD
  fi
  COMPREPLY=()
  while IFS=$'\t' read -r line _; do
    COMPREPLY+=("$line")
  done < <("${'$'}{words[0]}" __complete -- "${'$'}{words[@]:1:cword}" 2>/dev/null)
  if declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions "$cur"; fi
}
complete -o bashdefault -o default -F _PROGRAM_complete PROGRAM
`

const zsh = String.raw`#compdef PROGRAM
# zsh completion for PROGRAM: source <(PROGRAM completion zsh)
_PROGRAM() {
  local -a candidates
  local line word
  while IFS= read -r line; do
    word=${'$'}{line%%$'\t'*}
    candidates+=("${'$'}{word//:/\\:}:${'$'}{line#*$'\t'}")
  done < <("${'$'}{words[1]}" __complete -- "${'$'}{(@)words[2,CURRENT]}" 2>/dev/null)
  if (( ${'$'}{#candidates} )); then _describe PROGRAM candidates; else _files; fi
}
if [ "${'$'}{funcstack[1]}" = _PROGRAM ]; then _PROGRAM "$@"; else compdef _PROGRAM PROGRAM; fi
`

const fish = String.raw`# fish completion for PROGRAM: PROGRAM completion fish | source
function __PROGRAM_complete
  set -l words (commandline -opc) (commandline -ct)
  $words[1] __complete -- $words[2..-1] 2>/dev/null
end
complete -c PROGRAM -a '(__PROGRAM_complete)'
`
