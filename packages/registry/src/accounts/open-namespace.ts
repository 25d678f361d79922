import type { Action } from '../access.ts'
import type { ChangeListener } from '../change.ts'
import type { Queries } from '../database/database.ts'
import type { ForeignNames } from '../proxy/foreign-names.ts'
import { Refusal } from '../refusal.ts'
import { findAccount } from './account-store.ts'
import { type Identity, isGiven } from './identity.ts'
import { namespaceOf } from './names.ts'
import { findNamespace, requireFewOwned, setMember } from './namespace-store.ts'
import { readRights } from './rights-reader.ts'
import { isAllowed, isInScopes } from './rights.ts'

/**
 * Whether an action is allowed, also because the namespace is nobody's and the account may open namespaces. What an
 * upstream would be asked for is not nobody's.
 */
export async function maySomewhere(
  queries: Queries,
  { account, rights, scopes, access }: Identity,
  repository: string,
  action: Action,
  isUpstreams: ForeignNames['isUpstreams'],
): Promise<boolean> {
  if (!isGiven(access, repository, action)) return false
  if (isAllowed(rights, scopes, repository, action)) return true
  const mayOpen =
    account?.kind === 'person' &&
    rights.mayCreate &&
    (action === 'pull' || action === 'push') &&
    isInScopes(scopes, repository, action)
  if (!mayOpen || isUpstreams(repository)) return false
  const namespace = namespaceOf(repository)
  return namespace !== 'library' && (await findNamespace(queries, namespace)) === undefined
}

/**
 * Gives a namespace its row with the first repository in it, and its owner when the one who pushes opens it by that. Of
 * two who do so at once the second needs a right in what is now the first one's.
 */
export const openNamespaces: ChangeListener = async (transaction, change) => {
  if (change.kind !== 'repository-created') return
  const { actor, at, repository } = change
  const { namespace: name } = repository
  const isNew = await transaction.run(
    'INSERT INTO namespaces (name, created_at, created_by) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    [name, at, actor ?? null],
  )
  const account = actor === undefined ? undefined : await findAccount(transaction, actor)
  if (account === undefined || account.kind === 'robot') return
  const rights = await readRights(transaction, account)
  if (isAllowed(rights, undefined, repository.name, 'push')) return
  if (isNew === 0 || !rights.mayCreate) {
    throw new Refusal(403, 'DENIED', 'requested access to the resource is denied')
  }
  await requireFewOwned(transaction, account.id)
  await setMember(transaction, name, { accountID: account.id, role: 'owner' })
}
