import type { Action } from '../src/access.ts'
import { type Account, createAccount, type NewAccount } from '../src/accounts/account-store.ts'
import { setGrant, type Subject } from '../src/accounts/grant-store.ts'
import { PasswordHasher } from '../src/accounts/password-hash.ts'
import { createToken, type NewToken } from '../src/accounts/token-store.ts'
import { openRegistry, type RegistryOptions, type RegistryResponse } from '../src/index.ts'
import type { Database } from '../src/index.ts'

/** A registry with accounts, asked without a listener. */
export interface AccountsRegistry extends AsyncDisposable {
  readonly database: Database
  /** Moves its clock. */
  wait(milliseconds: number): void
  ask(method: string, target: string, asking?: Asking): Promise<Answer>
  addAccount(
    name: string,
    more?: Partial<NewAccount> & { readonly clear?: string },
  ): Promise<Account>
  addToken(account: Account, more?: Partial<NewToken>): Promise<{ id: string; secret: string }>
  grant(subject: Subject | Account, pattern: string, actions: readonly Action[]): Promise<number>
}

export interface Asking {
  readonly authorization?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | object
  /** Called when the body has arrived up to its last byte. */
  readonly beforeEnd?: () => Promise<void>
  readonly client?: string
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  /** The body as JSON. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into it as they please
  readonly document: any
}

export async function openAccountsRegistry(
  options: RegistryOptions = {},
): Promise<AccountsRegistry> {
  let now = Date.parse('2026-01-01T00:00:00Z')
  const registry = await openRegistry(options, { now: () => now })
  const { database } = registry
  const hasher = new PasswordHasher()
  return {
    database,
    wait(milliseconds) {
      now += milliseconds
    },
    async ask(
      method,
      target,
      { authorization, headers = {}, body = '', beforeEnd, client = '192.0.2.1' } = {},
    ) {
      const url = new URL(target, 'http://registry.test')
      const all: Record<string, string> = {
        host: 'registry.test',
        ...(authorization === undefined ? {} : { authorization }),
        ...headers,
      }
      const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
      const response = await registry.handle({
        method,
        path: target.split('?')[0] ?? target,
        query: url.searchParams,
        header: (name) => all[name],
        body: (async function* once(): AsyncGenerator<Uint8Array> {
          yield bytes
          await beforeEnd?.()
        })(),
        client,
      })
      const text = await readAll(response)
      return {
        status: response.status,
        headers: response.headers ?? {},
        text,
        document: text.startsWith('{') ? JSON.parse(text) : undefined,
      }
    },
    async addAccount(name, { clear, ...more } = {}) {
      const password = clear === undefined ? undefined : await hasher.hash(clear)
      return database.transaction((transaction) =>
        createAccount(
          transaction,
          { kind: 'person', ...more, name, ...(password === undefined ? {} : { password }) },
          now,
        ),
      )
    },
    addToken: (account, more = {}) =>
      createToken(
        database,
        { kind: 'personal', name: 'test', ...more, accountID: account.id },
        now,
      ),
    grant: (subject, pattern, actions) =>
      database.transaction((transaction) =>
        setGrant(
          transaction,
          {
            subject: 'name' in subject ? { kind: 'account', id: subject.id } : subject,
            pattern,
            actions,
            createdBy: undefined,
          },
          now,
        ),
      ),
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  }
}

export function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}

async function readAll({ body }: RegistryResponse): Promise<string> {
  if (body === undefined) return ''
  if (body instanceof Uint8Array) return Buffer.from(body).toString('utf8')
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}
