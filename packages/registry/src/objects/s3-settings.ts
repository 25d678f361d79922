import { KatmanError } from '@katman/oci'

export interface S3Settings {
  readonly bucket: string
  /** What every object's name begins with: empty, or with a slash at its end. */
  readonly prefix: string
  /** Another server than Amazon's. */
  readonly endpoint: string | undefined
  /** How clients reach the same server, for links; as we do when undefined. */
  readonly linkEndpoint: string | undefined
  readonly region: string
  /** Whether the bucket is in the path and not in the name of the host. */
  readonly isPathStyle: boolean
  /** How long a server may keep silent. */
  readonly timeoutMs: number
  /** How often a request is tried before it fails. */
  readonly attempts: number
  /** Undefined: as Amazon's own tools find them (environment, profile, role of the machine or the pod). */
  readonly credentials:
    | { readonly accessKeyId: string; readonly secretAccessKey: string }
    | undefined
}

const names = new Set(['endpoint', 'link-endpoint', 'region', 'path-style', 'timeout', 'attempts'])

/**
 * Reads `s3://bucket/prefix?endpoint=https://s3.example&region=eu-central-1&path-style=true`, before the bucket
 * `KEY:SECRET@` where the environment has no credentials. `link-endpoint` is the address of the same server for clients,
 * `timeout` how many seconds a server may keep silent (60), `attempts` how often a request is tried (6).
 *
 * @throws KatmanError `STORAGE_URL_INVALID`; the message never shows the URL, which may hold a secret.
 */
export function parseS3Url(text: string): S3Settings {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 's3:' || url.hostname === '') throw invalid('it is no s3://bucket URL')
  const options = new Map(url.searchParams)
  for (const name of options.keys()) if (!names.has(name)) throw invalid(`unknown option ${name}`)
  const prefix = decodeURIComponent(url.pathname).replaceAll(/^\/+|\/+$/g, '')
  const endpoint = readEndpoint(options, 'endpoint')
  return {
    bucket: url.hostname,
    prefix: prefix === '' ? '' : `${prefix}/`,
    endpoint,
    linkEndpoint: readEndpoint(options, 'link-endpoint'),
    region: options.get('region') ?? 'us-east-1',
    isPathStyle: readTruth(options, 'path-style', endpoint !== undefined),
    timeoutMs: readNumber(options, 'timeout', 60) * 1000,
    attempts: readNumber(options, 'attempts', 6),
    credentials: readCredentials(url),
  }
}

function readEndpoint(options: ReadonlyMap<string, string>, name: string): string | undefined {
  const text = options.get(name)
  if (text === undefined) return undefined
  if (/^https?:\/\/[^/]/.test(text) && URL.canParse(text)) return text
  throw invalid(`${name} is no http:// or https:// URL`)
}

function readTruth(options: ReadonlyMap<string, string>, name: string, standard: boolean): boolean {
  const text = options.get(name)
  if (text === undefined) return standard
  if (text === 'true' || text === 'false') return text === 'true'
  throw invalid(`${name} is true or false`)
}

function readNumber(options: ReadonlyMap<string, string>, name: string, standard: number): number {
  const text = options.get(name)
  if (text === undefined) return standard
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text)
  throw invalid(`${name} is a whole number from 1 on`)
}

function readCredentials(url: URL): S3Settings['credentials'] {
  if (url.username === '') return undefined
  if (url.password === '') throw invalid('there is a key without its secret')
  return {
    accessKeyId: decodeURIComponent(url.username),
    secretAccessKey: decodeURIComponent(url.password),
  }
}

function invalid(reason: string): KatmanError {
  return new KatmanError('STORAGE_URL_INVALID', `the address of the storage is wrong: ${reason}`, {
    hint: 'for example s3://bucket/prefix?region=eu-central-1',
  })
}
