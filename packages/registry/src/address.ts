import type { RegistryRequest } from './http.ts'

/** The address under which the client of a request knows the registry: `https://registry.example:5000`. */
export type AddressOf = (request: RegistryRequest) => string

/**
 * What the client asked for: its `Host`, by https when it speaks TLS, or when nobody knows and a proxy says so in `X-Forwarded-Proto`. No other
 * header names a host: a proxy that asks by another name needs `publicUrl`. `listening` is for clients that give no
 * name.
 */
export function addressAsked(listening: string): AddressOf {
  return (request) => {
    const host = request.header('host') ?? ''
    if (!/^[\w.:[\]-]{1,255}$/.test(host)) return listening
    const isSecure = request.isSecure ?? request.header('x-forwarded-proto') === 'https'
    return `${isSecure ? 'https' : 'http'}://${host}`
  }
}
