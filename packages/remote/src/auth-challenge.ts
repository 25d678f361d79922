/** One challenge of a `WWW-Authenticate` header. */
export interface AuthChallenge {
  /** Lower case: `basic`, `bearer`. */
  readonly scheme: string
  /** Lower-case names. */
  readonly parameters: ReadonlyMap<string, string>
}

const maxHeaderLength = 16 * 1024
const maxChallenges = 16
const maxParameters = 32
const token = /[A-Za-z0-9!#$%&'*+.^_`|~-]+/y
const token68 = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y
const space = /[ \t]*/y
const separators = /[ \t,]*/y

/**
 * Parses the challenges of a `WWW-Authenticate` header (RFC 9110, 11.3 and 11.6.1), several in one header
 * included. What cannot be read ends the list: nothing is guessed. Of a repeated parameter the first counts.
 */
export function parseAuthChallenges(header: string): readonly AuthChallenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = []
  if (header.length > maxHeaderLength) return challenges
  let at = 0

  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    const match = pattern.exec(header)
    if (match === null) return undefined
    at = pattern.lastIndex
    return match[0]
  }

  const quoted = (): string | undefined => {
    let value = ''
    for (at++; at < header.length; at++) {
      const letter = header.charAt(at)
      if (letter === '"') {
        at++
        return value
      }
      value += letter === '\\' ? header.charAt(++at) : letter
    }
    return undefined
  }

  while (challenges.length < maxChallenges) {
    take(separators)
    const scheme = take(token)
    if (scheme === undefined) break
    const challenge = { scheme: scheme.toLowerCase(), parameters: new Map<string, string>() }
    challenges.push(challenge)
    const afterScheme = at
    take(space)
    if (at > afterScheme && take(token68) !== undefined && header.charAt(at - 1) !== '') {
      // A lone token68, or the first word of the next challenge: neither is a parameter of ours.
      if (header.charAt(at) === '' || header.charAt(at) === ',') continue
    }
    for (;;) {
      const start = at
      take(separators)
      const name = take(token)?.toLowerCase()
      take(space)
      if (name === undefined || header.charAt(at) !== '=') {
        at = start
        break
      }
      at++
      take(space)
      const value = header.charAt(at) === '"' ? quoted() : take(token)
      if (value === undefined || challenge.parameters.size >= maxParameters) {
        challenges.pop()
        return challenges
      }
      if (!challenge.parameters.has(name)) challenge.parameters.set(name, value)
    }
  }
  return challenges
}
