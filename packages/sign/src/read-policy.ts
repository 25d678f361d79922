import { readFile } from 'node:fs/promises'
import { KatmanError } from '@katman/oci'
import { parsePolicy } from './policy-file.ts'
import type { Policy } from './policy.ts'

/** Reads a policy file. Throws `POLICY_INVALID`, also when it is not there, and `JSON_INVALID`. */
export async function readPolicy(file: string): Promise<Policy> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(file)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new KatmanError('POLICY_INVALID', `the signature policy cannot be read: ${reason}`, {
      hint: 'nothing is pulled while the policy does not read',
      details: { file },
      cause,
    })
  }
  return parsePolicy(bytes, file)
}
