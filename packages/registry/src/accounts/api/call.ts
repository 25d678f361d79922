import type * as v from 'valibot'
import type { Database, Transaction } from '../../database/database.ts'
import type { RegistryRequest, RegistryResponse } from '../../http.ts'
import { Refusal } from '../../refusal.ts'
import type { Account } from '../account-store.ts'
import { writeAudit } from '../audit-log.ts'
import type { FailedLogins } from '../failed-logins.ts'
import { type Identity, mayDo } from '../identity.ts'
import type { PasswordHasher } from '../password-hash.ts'
import { readWholeBody } from '../../read-body.ts'

/** One request of the administration API, by somebody who signed in. */
export interface Call {
  readonly request: RegistryRequest
  readonly identity: Identity
  readonly account: Account
  /** The parts of the path that the route leaves open, decoded. */
  readonly names: readonly string[]
  readonly database: Database
  readonly hasher: PasswordHasher
  /** Wrong passwords of now, by account. */
  readonly failed: FailedLogins
  /** Milliseconds since 1970. */
  readonly now: number
}

export type Handler = (call: Call) => Promise<RegistryResponse>

const maxBodyBytes = 64 * 1024
const maxPage = 1000
const defaultPage = 100

/** @throws Refusal 403 to who does not administer the registry. */
export function requireSystem({ identity }: Call): void {
  if (!mayDo(identity, 'system')) throw denied()
}

/** @throws Refusal 403 to who administers neither the namespace nor the registry, whether it exists or not. */
export function requireOwner({ identity }: Call, namespace: string): void {
  if (!mayDo(identity, { namespace })) throw denied()
}

export function denied(): Refusal {
  return new Refusal(403, 'DENIED', 'requested access to the resource is denied')
}

export function notFound(what: string): Refusal {
  return new Refusal(404, 'NOT_FOUND', `there is no ${what}`)
}

export function invalid(message: string): Refusal {
  return new Refusal(400, 'INVALID', message)
}

/** The body, checked. Keys that nobody knows are errors. @throws Refusal 400, 413, 415. */
export async function readBody<S extends v.GenericSchema>(
  { request }: Call,
  schema: S,
): Promise<v.InferOutput<S>> {
  // A form of another site cannot send this type without asking first.
  if (!/^application\/json\s*(?:;|$)/i.test(request.header('content-type') ?? '')) {
    throw new Refusal(415, 'INVALID', 'the body must be application/json')
  }
  const { getDotPath, safeParse } = await import('valibot')
  const text = (await readWholeBody(request, maxBodyBytes)).toString('utf8')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw invalid('the body is no JSON')
  }
  const result = safeParse(schema, value)
  if (result.success) return result.output
  const [issue] = result.issues
  const path = getDotPath(issue)
  // Without the value: it may be a password.
  const wanted = issue.type === 'check' ? issue.message : (issue.expected ?? 'something else')
  throw invalid(`${path ?? 'the body'}: expected ${wanted}`)
}

/** Changes rows and writes who did it, in one transaction. */
export function change<T>(
  { request, account, database, now }: Call,
  entry: { readonly action: string; readonly target: string; readonly detail?: string },
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  return database.transaction(async (transaction) => {
    const result = await work(transaction)
    await writeAudit(transaction, {
      at: now,
      actor: account.name,
      client: request.client,
      result: 'done',
      ...entry,
    })
    return result
  })
}

interface Paging {
  readonly last: string
  readonly limit: number
}

export function readPaging({ request }: Call): Paging {
  const given = request.query.get('n')
  if (given !== null && !/^[1-9]\d{0,8}$/.test(given)) throw invalid('n is no whole number above 0')
  return {
    last: request.query.get('last') ?? '',
    limit: given === null ? defaultPage : Math.min(maxPage, Number(given)),
  }
}

/** A link to the page after this one, when it was full. */
export function nextPage(
  { request }: Call,
  { limit }: Paging,
  found: readonly unknown[],
  last: string | number,
): Readonly<Record<string, string>> {
  if (found.length < limit) return {}
  const query = new URLSearchParams(request.query)
  query.set('n', String(limit))
  query.set('last', String(last))
  return { link: `<${request.path}?${query.toString()}>; rel="next"` }
}

export function timeText(milliseconds: number | undefined): string | null {
  return milliseconds === undefined ? null : new Date(milliseconds).toISOString()
}
