import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import type { Environment } from './context.ts'

/** Where the machine's policy is. */
const systemFile = '/etc/containers/policy.json'

/**
 * The signature policy of this user: the file that the environment names, whether it is there or not; else the user's,
 * else the machine's. Undefined when there is none.
 */
export function policyFile(env: Environment): string | undefined {
  const named = env['KATMAN_SIGNATURE_POLICY']
  if (named) return named
  const own = path.join(env['HOME'] || homedir(), '.config/containers/policy.json')
  return [own, systemFile].find((file) => existsSync(file))
}
