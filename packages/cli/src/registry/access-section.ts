import type { AccessOptions } from '@katman/registry'
import { each } from '../sync/read-choice.ts'
import type { YamlValue } from '../sync/yaml-reader.ts'
import { readSeconds } from './yaml-units.ts'

type Workload = NonNullable<AccessOptions['workloads']>[number]
type Identity = Workload['identities'][number]
type Scope = NonNullable<Identity['scopes']>[number]
type Htpasswd = NonNullable<AccessOptions['htpasswd']>
type Login = NonNullable<AccessOptions['login']>

const actions = ['pull', 'push', 'delete', 'admin'] as const

/** `access:` who comes in, and how they prove it. */
export function readAccess(value: YamlValue): AccessOptions {
  const { service, htpasswd, workloads, login, ...rest } = value.fields([
    'service',
    'token-lifetime',
    'audit-keep',
    'htpasswd',
    'workloads',
    'login',
  ])
  const [lifetime, keep] = [rest['token-lifetime'], rest['audit-keep']]
  if (htpasswd !== undefined && (workloads !== undefined || login !== undefined)) {
    throw htpasswd.fail('htpasswd takes the place of accounts: it has no workloads and no login')
  }
  return {
    ...(service === undefined ? {} : { service: readService(service) }),
    ...(lifetime === undefined ? {} : { tokenSeconds: readSeconds(lifetime) }),
    ...(keep === undefined ? {} : { auditDays: readSeconds(keep) / 86_400 }),
    ...(htpasswd === undefined ? {} : { htpasswd: readHtpasswd(htpasswd) }),
    ...(workloads === undefined ? {} : { workloads: workloads.list().map(readWorkload) }),
    ...(login === undefined ? {} : { login: readLogin(login) }),
  }
}

function readService(value: YamlValue): string {
  const text = value.text()
  // It stands in quotes in a header.
  if (!/^[\w .:-]{1,100}$/.test(text)) throw value.fail('letters, digits, spaces and . _ : - only')
  return text
}

function readHtpasswd(value: YamlValue): Htpasswd {
  const { file, administrators, rules } = value.fields(['file', 'administrators', 'rules'])
  if (file === undefined) throw value.fail('file is missing')
  return {
    file: file.text(),
    ...(administrators === undefined
      ? {}
      : { administrators: each(administrators, (item) => item.text()) }),
    ...(rules === undefined
      ? {}
      : {
          rules: rules.list().map((rule) => {
            const fields = rule.fields(['users', 'repositories', 'actions'])
            if (fields.users === undefined) throw rule.fail('users is missing')
            return {
              users: each(fields.users, (item) => item.text()),
              ...readRight(rule, fields.repositories, fields.actions),
            }
          }),
        }),
  }
}

function readWorkload(value: YamlValue): Workload {
  const { issuer, audience, identities } = value.fields(['issuer', 'audience', 'identities'])
  if (issuer === undefined) throw value.fail('issuer is missing')
  if (audience === undefined) throw value.fail('audience is missing')
  if (identities === undefined) throw value.fail('identities is missing')
  return {
    issuer: readIssuer(issuer),
    audience: audience.text(),
    identities: identities.list().map((item): Identity => {
      const { claims, account, scopes } = item.fields(['claims', 'account', 'scopes'])
      if (account === undefined) throw item.fail('account is missing')
      const wanted = claims === undefined ? {} : readClaims(claims)
      // An issuer such as GitHub signs for everybody in the world.
      if (Object.keys(wanted).length === 0) throw item.fail('claims are missing: who is meant?')
      return {
        claims: wanted,
        account: account.text(),
        ...(scopes === undefined
          ? {}
          : {
              scopes: scopes.list().map((scope) => {
                const fields = scope.fields(['repositories', 'actions'])
                const right = readRight(scope, fields.repositories, fields.actions)
                return { repository: right.repositories, actions: right.actions }
              }),
            }),
      }
    }),
  }
}

function readLogin(value: YamlValue): Login {
  const fields = value.fields([
    'issuer',
    'client-id',
    'client-secret-file',
    'scope',
    'name-claim',
    'claims',
    'token-lifetime',
  ])
  const { issuer, scope, claims } = fields
  const [id, secret] = [fields['client-id'], fields['client-secret-file']]
  const [name, lifetime] = [fields['name-claim'], fields['token-lifetime']]
  if (issuer === undefined) throw value.fail('issuer is missing')
  if (id === undefined) throw value.fail('client-id is missing')
  return {
    issuer: readIssuer(issuer),
    clientID: id.text(),
    ...(secret === undefined ? {} : { clientSecretFile: secret.text() }),
    ...(scope === undefined ? {} : { scope: scope.text() }),
    ...(name === undefined ? {} : { nameClaim: name.text() }),
    ...(claims === undefined ? {} : { claims: readClaims(claims) }),
    ...(lifetime === undefined ? {} : { tokenHours: readSeconds(lifetime) / 3600 }),
  }
}

function readIssuer(value: YamlValue): string {
  const text = value.text()
  const url = URL.parse(text)
  const isLocal = url !== null && /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname)
  const isFine = url?.protocol === 'https:' || (isLocal && url.protocol === 'http:')
  if (!isFine || url.username !== '' || url.search !== '' || url.hash !== '') {
    throw value.fail(`'${text}' is no issuer: write its https:// address as it stands in iss`)
  }
  return text
}

function readClaims(value: YamlValue): Readonly<Record<string, string>> {
  return Object.fromEntries(value.entries().map(({ key, value: text }) => [key, text.text()]))
}

function readRight(
  above: YamlValue,
  repositories: YamlValue | undefined,
  given: YamlValue | undefined,
): { readonly repositories: string; readonly actions: Scope['actions'] } {
  if (repositories === undefined) throw above.fail('repositories is missing')
  if (given === undefined) throw above.fail('actions is missing')
  const pattern = repositories.text()
  const parts = pattern.split('/')
  const isDeep = parts.at(-1) === '**'
  const isFine = (isDeep ? parts.slice(0, -1) : parts).every(
    (part) => /^[a-z0-9*]+(?:[._-]+[a-z0-9*]+)*$/.test(part) && !part.includes('**'),
  )
  if (!isFine) {
    throw repositories.fail(`'${pattern}' is no pattern: write team/app, team/* or team/**`)
  }
  return {
    repositories: pattern,
    actions: each(given, (item) => {
      const found = actions.find((action) => action === item.text())
      if (found === undefined) throw item.fail(`${actions.join(', ')} are the actions`)
      return found
    }),
  }
}
