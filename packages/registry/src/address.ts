import type { RegistryRequest } from './http.ts'

/** The address under which the client of a request knows the registry: `https://registry.example:5000`. */
export type AddressOf = (request: RegistryRequest) => string

/**
 * What the client asked for, which a proxy that speaks TLS passes on as `X-Forwarded-Proto` (and `X-Forwarded-Host`, if
 * it asks by another name). It is told to this client alone, so it may say what it likes. `listening` is for clients
 * that give no name.
 */
export function addressAsked(listening: string): AddressOf {
  return (request) => {
    const host = request.header('x-forwarded-host') ?? request.header('host') ?? ''
    if (!/^[\w.:[\]-]{1,255}$/.test(host)) return listening
    return `${request.header('x-forwarded-proto') === 'https' ? 'https' : 'http'}://${host}`
  }
}
