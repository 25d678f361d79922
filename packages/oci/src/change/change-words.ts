import { changeInvalid } from './change-error.ts'

/** Cuts a text at white space outside quotes; quotes and backslashes stay for {@link expandWord}. */
export function splitWords(text: string): readonly string[] {
  const words: string[] = []
  let word = ''
  let quote = ''
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? ''
    if (character === '\\' && quote !== "'" && at + 1 < text.length) {
      word += character + (text[at + 1] ?? '')
      at += 1
    } else if (quote === '' && /\s/.test(character)) {
      if (word !== '') words.push(word)
      word = ''
    } else {
      word += character
      if (quote === '' && /["']/.test(character)) quote = character
      else if (character === quote) quote = ''
    }
  }
  if (word !== '') words.push(word)
  return words
}

/**
 * A word without its quotes and backslashes, and with the variables that it names: `$NAME`, `${NAME}`, `${NAME:-word}`,
 * `${NAME:+word}`, `${NAME:?word}`. Unknown ones are empty. Throws `CHANGE_INVALID`.
 */
export function expandWord(word: string, env: readonly string[]): string {
  let at = 0
  const fail = (reason: string): never => {
    throw changeInvalid(`failed to process ${JSON.stringify(word)}: ${reason}`)
  }
  const result = read('')
  return result

  /** Reads up to a character, or to the end for an empty one. */
  function read(stop: string): string {
    let text = ''
    while (at < word.length) {
      const character = word[at] ?? ''
      at += 1
      if (character === stop) return text
      if (character === "'") text += singleQuoted()
      else if (character === '"') text += doubleQuoted()
      else if (character === '$') text += variable()
      else if (character === '\\') {
        text += word[at] ?? ''
        at += 1
      } else text += character
    }
    if (stop !== '') fail('syntax error: missing right brace')
    return text
  }

  function singleQuoted(): string {
    const end = word.indexOf("'", at)
    if (end === -1) fail('unexpected end of statement while looking for matching single-quote')
    const text = word.slice(at, end)
    at = end + 1
    return text
  }

  function doubleQuoted(): string {
    let text = ''
    for (;;) {
      const character = word[at]
      if (character === undefined) {
        return fail('unexpected end of statement while looking for matching double-quote')
      }
      at += 1
      if (character === '"') return text
      const next = word[at] ?? ''
      if (character === '$') text += variable()
      else if (character === '\\' && /["$\\]/.test(next)) {
        text += next
        at += 1
      } else text += character
    }
  }

  function variable(): string {
    if (word[at] !== '{') {
      const name = variableName()
      return name === '' ? '$' : (valueOf(name) ?? '')
    }
    at += 1
    const name = variableName()
    if (name === '') fail('syntax error: bad substitution')
    const character = word[at]
    at += 1
    if (character === '}') return valueOf(name) ?? ''
    if (character !== ':') return fail("missing ':' in substitution")
    const modifier = word[at] ?? ''
    at += 1
    const other = read('}')
    const value = valueOf(name) ?? ''
    switch (modifier) {
      case '-':
        return value === '' ? other : value
      case '+':
        return value === '' ? '' : other
      case '?':
        return value === ''
          ? fail(`${name}: ${other === '' ? 'not allowed to be unset' : other}`)
          : value
      default:
        return fail(`unsupported modifier (${modifier}) in substitution`)
    }
  }

  function variableName(): string {
    const [name = ''] = /^(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?!$-])/.exec(word.slice(at)) ?? []
    at += name.length
    return name
  }

  function valueOf(name: string): string | undefined {
    return env.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1)
  }
}
