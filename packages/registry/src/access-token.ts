import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import type { Action } from './access.ts'

/** What a token allows. */
export interface Grant {
  readonly type: string
  readonly name: string
  readonly actions: readonly (Action | '*')[]
}

export interface TokenClaims {
  /** The user; empty for an anonymous token. */
  readonly sub: string
  /** The service it is for. */
  readonly aud: string
  /** Seconds since 1970. */
  readonly exp: number
  readonly access: readonly Grant[]
}

export interface TokenSigner {
  sign(claims: TokenClaims): string
  /** The claims of a token of this signer; undefined for any other text. Does not look at the time. */
  read(token: string): TokenClaims | undefined
}

const header = encode({ typ: 'JWT', alg: 'HS256' })

/** Signs tokens with a key that lives as long as this process. */
export function createTokenSigner(): TokenSigner {
  const key = randomBytes(32)
  const signature = (text: string): string =>
    createHmac('sha256', key).update(text).digest('base64url')
  return {
    sign(claims) {
      const text = `${header}.${encode({ ...claims, jti: randomUUID() })}`
      return `${text}.${signature(text)}`
    },
    read(token) {
      if (token.length > 32_768) return undefined
      const end = token.lastIndexOf('.')
      const given = Buffer.from(token.slice(end + 1))
      const right = Buffer.from(signature(token.slice(0, Math.max(0, end))))
      if (given.byteLength !== right.byteLength || !timingSafeEqual(given, right)) return undefined
      const [, body = ''] = token.split('.')
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only what sign() made has this signature
      return JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as TokenClaims
    },
  }
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
