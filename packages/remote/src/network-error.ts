import { KatmanError } from '@katman/oci'
import { shownText, shownUrl } from './shown.ts'

/** Which exchange failed. */
export interface Exchange {
  readonly method: string
  readonly url: URL
}

type NodeError = Error & {
  readonly code?: string
  readonly address?: string
  readonly port?: number
  readonly hostname?: string
  readonly errors?: readonly NodeError[]
}

/**
 * Gives a failure below HTTP its code: `CONNECTION_REFUSED`, `HOST_NOT_FOUND`, `TLS_ERROR`,
 * `CONNECTION_LOST`, `TIMEOUT`, `RESPONSE_INVALID`. `details.transient` says whether another try can help.
 */
export function networkError(error: unknown, exchange: Exchange): KatmanError {
  const cause =
    error instanceof Error ? (error as NodeError) : (new Error(String(error)) as NodeError)
  const code = cause.code ?? cause.errors?.[0]?.code ?? ''
  const host = exchange.url.host
  if (code === 'ECONNREFUSED') {
    return failure('CONNECTION_REFUSED', `${host} refuses connections`, exchange, cause, {
      docker: `dial tcp ${dialled(cause, exchange.url)}: connect: connection refused`,
      hint: 'check the registry name and port, and that the registry runs',
      transient: true,
    })
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    const name = exchange.url.hostname
    return failure('HOST_NOT_FOUND', `no such host: ${name}`, exchange, cause, {
      docker: `dial tcp: lookup ${name}${nameServer()}: ${code === 'ENOTFOUND' ? 'no such host' : 'Temporary failure in name resolution'}`,
      hint: 'check the registry name and the network',
      transient: code === 'EAI_AGAIN',
    })
  }
  const certificate = certificateProblem(code)
  if (certificate !== undefined) {
    return failure('TLS_ERROR', `${host}: ${certificate} (${code})`, exchange, cause, {
      docker: `x509: ${certificate}`,
      hint: `put the registry's CA into /etc/docker/certs.d/${host}/ca.crt, or name the registry in KATMAN_INSECURE_REGISTRIES`,
      transient: false,
    })
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS')) {
    const plain = /wrong version number|packet length too long/i.test(cause.message)
    return failure('TLS_ERROR', `${host}: the TLS handshake failed (${code})`, exchange, cause, {
      docker: plain
        ? 'http: server gave HTTP response to HTTPS client'
        : 'remote error: tls: handshake failure',
      hint: 'the server may speak plain http; allow that with KATMAN_INSECURE_REGISTRIES',
      transient: false,
    })
  }
  if (code === 'ETIMEDOUT' || code === 'ENETUNREACH' || code === 'EHOSTUNREACH') {
    const timedOut = code === 'ETIMEDOUT'
    return failure('TIMEOUT', `${host} cannot be reached (${code})`, exchange, cause, {
      docker: `dial tcp ${dialled(cause, exchange.url)}: ${timedOut ? 'i/o timeout' : 'connect: no route to host'}`,
      hint: 'check the network, a firewall or the proxy settings',
      transient: true,
    })
  }
  if (code.startsWith('HPE_') && code !== 'HPE_INVALID_EOF_STATE') {
    return responseInvalid(exchange, `malformed HTTP response (${code})`, cause)
  }
  if (code === 'ERR_PROXY_TUNNEL') {
    return failure('PROXY_ERROR', `${host}: the proxy refused the tunnel`, exchange, cause, {
      docker: shownText(cause.message),
      hint: 'check HTTPS_PROXY and NO_PROXY',
      transient: false,
    })
  }
  return failure('CONNECTION_LOST', `${host}: the connection broke`, exchange, cause, {
    docker:
      code === 'ECONNRESET' && cause.message.includes('ECONNRESET')
        ? 'connection reset by peer'
        : 'EOF',
    hint: 'the network or the registry dropped it; try again',
    transient: true,
  })
}

/** The error for a wait that took too long. */
export function timeoutError(
  exchange: Exchange,
  what: string,
  ms: number,
  docker = 'net/http: request canceled (Client.Timeout exceeded while awaiting headers)',
): KatmanError {
  return failure('TIMEOUT', `${exchange.url.host}: ${what} in ${ms} ms`, exchange, undefined, {
    docker,
    hint: 'the registry or the network is too slow or stuck; try again',
    transient: true,
  })
}

/** The error for an answer that breaks HTTP or the distribution protocol. */
export function responseInvalid(exchange: Exchange, reason: string, cause?: unknown): KatmanError {
  return failure('RESPONSE_INVALID', `${exchange.url.host}: ${reason}`, exchange, cause, {
    docker: reason,
    hint: 'the server is no proper registry, or something on the way changes its answers',
    transient: false,
  })
}

/** The error for an address that must not be contacted from here. */
export function privateAddressRefused(exchange: Exchange, address: string): KatmanError {
  return failure(
    'REDIRECT_REFUSED',
    `a public registry points to the private address ${exchange.url.hostname === address ? address : `${address} (${exchange.url.hostname})`}`,
    exchange,
    undefined,
    {
      docker: `dial tcp ${address}: refused: private address`,
      hint: 'a registry on the internet has no business inside this network; ask its owner',
      transient: false,
    },
  )
}

export function addressRefused(exchange: Exchange, address: string): KatmanError {
  return failure(
    'ADDRESS_REFUSED',
    `${exchange.url.hostname} is an address that may not be reached from here`,
    exchange,
    undefined,
    {
      docker: `dial tcp ${address}: refused`,
      hint: 'addresses inside the network must be allowed by the configuration',
      transient: false,
    },
  )
}

/** `Get "http://host/v2/": text`, as Go's client writes it. */
export function goUrlError(exchange: Exchange, text: string): string {
  const method = exchange.method.charAt(0) + exchange.method.slice(1).toLowerCase()
  return `${method} "${shownUrl(exchange.url)}": ${text}`
}

function failure(
  code: string,
  message: string,
  exchange: Exchange,
  cause: unknown,
  facts: { readonly docker: string; readonly hint: string; readonly transient: boolean },
): KatmanError {
  return new KatmanError(code, message, {
    hint: facts.hint,
    details: {
      method: exchange.method,
      url: shownUrl(exchange.url),
      transient: facts.transient,
      dockerMessage: goUrlError(exchange, facts.docker),
    },
    ...(cause === undefined ? {} : { cause }),
  })
}

function dialled(error: NodeError, url: URL): string {
  const inner = error.address === undefined ? error.errors?.at(-1) : error
  const address = inner?.address ?? url.hostname
  const port = inner?.port ?? (url.port || (url.protocol === 'https:' ? 443 : 80))
  return `${address.includes(':') && !address.startsWith('[') ? `[${address}]` : address}:${port}`
}

function nameServer(): string {
  const [server] = process.getBuiltinModule('node:dns').getServers()
  if (server === undefined) return ''
  return ` on ${/^[0-9.]+$/.test(server) ? `${server}:53` : server}`
}

function certificateProblem(code: string): string | undefined {
  switch (code) {
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return 'certificate has expired or is not yet valid'
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'certificate is not valid for this host name'
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'CERT_UNTRUSTED':
    case 'INVALID_CA':
      return 'certificate signed by unknown authority'
    case 'CERT_REVOKED':
    case 'CERT_REJECTED':
    case 'CERT_SIGNATURE_FAILURE':
      return 'certificate is not acceptable'
    default:
      return undefined
  }
}
