import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { checkServerIdentity, type ConnectionOptions } from 'node:tls'
import { KatmanError } from '@katman/oci'

export interface PostgresSettings {
  /** What the client library takes. What is undefined it looks up as libpq does: `PGUSER`, `PGPASSWORD`, … */
  readonly host: string | undefined
  readonly port: number | undefined
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  readonly ssl: ConnectionOptions | false
  /** How many connections one process opens at most. */
  readonly poolSize: number
  readonly connectTimeoutMs: number
  readonly statementTimeoutMs: number
  readonly applicationName: string
  /** Whether statements stay prepared; not behind a pooler that gives each transaction another connection. */
  readonly isPreparing: boolean
}

const names = new Set([
  'host',
  'port',
  'user',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'pool_size',
  'connect_timeout',
  'statement_timeout',
  'application_name',
  'prepare',
])

/**
 * Reads `postgres://user:password@host:port/database?…`. The options are named as libpq names them: `sslmode`
 * (`disable`, `require`, `verify-ca`, `verify-full`), `sslrootcert`, `sslcert`, `sslkey`, `host` (the folder of a
 * socket) with `port` and `user`, `connect_timeout` and `statement_timeout` in seconds, `application_name`; and our own `pool_size` and
 * `prepare`.
 *
 * @throws KatmanError `DATABASE_URL_INVALID` for anything else; the message never shows the URL, which holds a password.
 */
export function parsePostgresUrl(text: string): PostgresSettings {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^postgres(?:ql)?:$/.test(url.protocol)) {
    throw invalid('it is no postgres:// URL')
  }
  const options = new Map(url.searchParams)
  for (const name of options.keys()) if (!names.has(name)) throw invalid(`unknown option ${name}`)
  // An address of IPv6 is in brackets there.
  const host = options.get('host') ?? decode(url.hostname.replaceAll(/[[\]]/g, ''))
  return {
    host,
    port: readPort(options.get('port') ?? url.port),
    user: options.get('user') ?? decode(url.username),
    password: decode(url.password),
    database: decode(url.pathname.slice(1)),
    ssl: readSsl(options, host),
    poolSize: readNumber(options, 'pool_size', 10),
    connectTimeoutMs: readNumber(options, 'connect_timeout', 10) * 1000,
    statementTimeoutMs: readNumber(options, 'statement_timeout', 30) * 1000,
    applicationName: options.get('application_name') ?? 'katman',
    isPreparing: options.get('prepare') !== 'false',
  }
}

function readSsl(
  options: ReadonlyMap<string, string>,
  host: string | undefined,
): ConnectionOptions | false {
  const mode = options.get('sslmode') ?? 'disable'
  if (mode === 'disable') return false
  if (mode !== 'require' && mode !== 'verify-ca' && mode !== 'verify-full') {
    throw invalid('sslmode is none of disable, require, verify-ca, verify-full')
  }
  const root = options.get('sslrootcert')
  const certificate = options.get('sslcert')
  const key = options.get('sslkey')
  return {
    // As libpq has it: `require` with the certificate of an authority also checks against that.
    rejectUnauthorized: mode !== 'require' || root !== undefined,
    checkServerIdentity: mode === 'verify-full' ? checkServerIdentity : () => undefined,
    ...(root === undefined ? {} : { ca: readFile(root) }),
    ...(certificate === undefined ? {} : { cert: readFile(certificate) }),
    ...(key === undefined ? {} : { key: readFile(key) }),
    ...(host === undefined || isIP(host) > 0 ? {} : { servername: host }),
  }
}

function readFile(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw invalid(`cannot read ${file}`, cause)
  }
}

function readNumber(options: ReadonlyMap<string, string>, name: string, standard: number): number {
  const text = options.get(name)
  if (text === undefined) return standard
  if (!/^[1-9]\d{0,5}$/.test(text)) throw invalid(`${name} is a whole number from 1 on`)
  return Number(text)
}

function readPort(text: string): number | undefined {
  if (text === '') return undefined
  if (/^\d{1,5}$/.test(text)) return Number(text)
  throw invalid('port is no number')
}

function decode(part: string): string | undefined {
  return part === '' ? undefined : decodeURIComponent(part)
}

function invalid(reason: string, cause?: unknown): KatmanError {
  return new KatmanError(
    'DATABASE_URL_INVALID',
    `the address of the database is wrong: ${reason}`,
    {
      cause,
      hint: 'for example postgres://katman:password@db.example/katman?sslmode=verify-full',
    },
  )
}
