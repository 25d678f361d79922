import type { Transaction } from '../database/database.ts'
import { type Account, createAccount, type NewAccount } from './account-store.ts'
import { mayOwnByName } from './names.ts'
import { createNamespace, setMember } from './namespace-store.ts'

/**
 * Makes the account of a person, and the namespace of its name unless that is somebody's or in use.
 *
 * @throws Refusal 409 when the name is taken.
 */
export async function createPerson(
  transaction: Transaction,
  person: Omit<NewAccount, 'kind' | 'namespace'>,
  now: number,
): Promise<Account> {
  const account = await createAccount(transaction, { ...person, kind: 'person' }, now)
  const { id, name } = account
  if (mayOwnByName(name) && (await createNamespace(transaction, { name, createdBy: name }, now))) {
    await setMember(transaction, name, { accountID: id, role: 'owner' })
  }
  return account
}
