import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { KatmanError } from '@katman/oci'
import { parsePolicy } from './policy-file.ts'
import type { Policy } from './policy.ts'

export interface LoadPolicyOptions {
  /** `KATMAN_SIGNATURE_POLICY` names the file; `HOME` is where the user's is looked for. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** The machine's file. Default `/etc/containers/policy.json`. */
  readonly systemFile?: string
}

/**
 * The policy of this user: the file that the environment names, else `~/.config/containers/policy.json`, else the
 * machine's. Undefined when there is none: then everything is accepted, as docker does. A file that is there and does
 * not read is an error. Throws `POLICY_INVALID`, `JSON_INVALID`.
 */
export async function loadPolicy(options: LoadPolicyOptions): Promise<Policy | undefined> {
  const { env, systemFile = '/etc/containers/policy.json' } = options
  const named = env['KATMAN_SIGNATURE_POLICY']
  const own = path.join(env['HOME'] || homedir(), '.config/containers/policy.json')
  for (const file of named ? [named] : [own, systemFile]) {
    let bytes: Uint8Array
    try {
      bytes = await readFile(file)
    } catch (cause) {
      const isAbsent = (cause as NodeJS.ErrnoException).code === 'ENOENT'
      if (isAbsent && file !== named) continue
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new KatmanError('POLICY_INVALID', `the signature policy cannot be read: ${reason}`, {
        hint: 'nothing is pulled while the policy does not read',
        details: { file },
        cause,
      })
    }
    return parsePolicy(bytes, file)
  }
  return undefined
}
