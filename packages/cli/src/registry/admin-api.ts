import { KatmanError } from '@katman/oci'
import type { ApiRequest } from '@katman/remote'
import type { Context } from '../context.ts'
import { registryOf } from '../commands/login.ts'
import { CommandFailure, plainFailure } from '../failure.ts'
import { escapeTerminal } from '../terminal/escape.ts'

/** What the administration API sent: JSON of a registry, so untrusted. */
export type Document = Readonly<Record<string, unknown>>

/** The administration API of a registry that runs, with the credentials of `login`. */
export interface AdminApi {
  /** The document of the answer; empty when it has none. Throws what the registry said was wrong. */
  ask(method: ApiRequest['method'], path: string, body?: unknown): Promise<Document>
  /** The list under `key`, of every page. */
  list(path: string, key: string, limit?: number): Promise<readonly Document[]>
}

/** Works on a registry as its administrator. */
export async function withAdminApi<T>(
  context: Context,
  server: string,
  work: (api: AdminApi) => Promise<T>,
): Promise<T> {
  const registry = registryOf(server)
  await using remote = await context.openRemote()
  const send = async (
    method: ApiRequest['method'],
    path: string,
    body?: unknown,
  ): Promise<{ readonly document: Document; readonly link: string }> => {
    const question = { registry, method, path, body, signal: context.signal }
    const {
      status,
      headers,
      body: bytes,
    } = await remote.ask(question).catch((error: unknown) => {
      throw withLogin(error, context, registry)
    })
    const document = parse(bytes)
    if (status >= 400) throw refused(document, status, registry)
    return { document, link: headers.get('link') ?? '' }
  }
  return await work({
    ask: async (method, path, body) => (await send(method, `/api/v1/${path}`, body)).document,
    async list(path, key, limit = Infinity) {
      const found: Document[] = []
      let next = `/api/v1/${path}`
      while (next !== '' && found.length < limit) {
        const { document, link } = await send('GET', next)
        const rows = document[key]
        if (Array.isArray(rows)) found.push(...rows.filter(isDocument))
        // A page of another API would get the password, too.
        next = /^<(\/api\/v1\/[^>\s]*)>; rel="next"$/.exec(link)?.[1] ?? ''
      }
      return found.slice(0, limit)
    },
  })
}

/** Removes one after the other and names each that is gone. `path` is that of their list. */
export async function removeEach(
  context: Context,
  {
    api,
    path,
    names,
  }: { readonly api: AdminApi; readonly path: string; readonly names: readonly string[] },
): Promise<void> {
  for (const name of names) {
    await api.ask('DELETE', `${path}/${encodeURIComponent(name)}`)
    context.stdout.write(`${name}\n`)
  }
}

/** A value as a cell: nothing for what is not there. */
export function cell(value: unknown): string {
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}

export function yes(value: unknown): string {
  return value === true ? 'yes' : 'no'
}

/** `2026-01-31 12:00` of an RFC 3339 time, in UTC; `never` for none. */
export function time(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 16).replace('T', ' ') : 'never'
}

/** `pull,push` */
export function words(value: unknown): string {
  return Array.isArray(value) ? value.map(cell).join(',') : ''
}

/** Reads `PATTERN:ACTION,...` of a flag. */
export function readScope(text: string): {
  readonly repository: string
  readonly actions: readonly string[]
} {
  const colon = text.lastIndexOf(':')
  if (colon < 1) {
    throw new CommandFailure(`'${text}' is no scope: write PATTERN:ACTIONS, like team/*:pull,push`)
  }
  return { repository: text.slice(0, colon), actions: text.slice(colon + 1).split(',') }
}

/** Reads `90d`, `12h`, `30m` as seconds. */
export function readExpiry(text: string | undefined): { readonly expires_in?: number } {
  if (text === undefined || text === '') return {}
  const [, count = '', unit = ''] = /^(\d{1,6})([dhm])$/.exec(text) ?? []
  const seconds = { d: 86_400, h: 3600, m: 60 }[unit]
  if (seconds === undefined) {
    throw new CommandFailure(`'${text}' is no time: write days, hours or minutes, like 90d`)
  }
  return { expires_in: Number(count) * seconds }
}

/** Reads an `optional` flag of a truth. */
export function readTruth(name: string, text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined
  if (text === 'true' || text === 'false') return text === 'true'
  throw new CommandFailure(`--${name}: '${text}' is neither true nor false`)
}

/** A secret that is shown once. Alone on standard output, so that it can be piped. */
export function showSecret(context: Context, token: unknown): void {
  context.stderr.write('This token is shown only now:\n')
  context.stdout.write(`${cell(token)}\n`)
}

function parse(bytes: Uint8Array): Document {
  if (bytes.byteLength === 0) return {}
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    return isDocument(value) ? value : {}
  } catch {
    return {}
  }
}

function isDocument(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refused({ errors }: Document, status: number, registry: string): CommandFailure {
  const [first] = Array.isArray(errors) ? errors : []
  const message = isDocument(first) ? cell(first['message']) : ''
  if (message === '') {
    return new CommandFailure(`${registry} has no administration API (status ${status})`)
  }
  return new CommandFailure(escapeTerminal(message))
}

function withLogin(error: unknown, { program }: Context, registry: string): CommandFailure {
  const failure = plainFailure(error)
  const isLogin = error instanceof KatmanError && error.code === 'UNAUTHORIZED'
  if (!isLogin) return failure
  return new CommandFailure(
    `${failure.message.split('\nhint: ')[0] ?? ''}\nhint: log in with a password or an access token: ${program} login ${registry}`,
    { cause: error },
  )
}
