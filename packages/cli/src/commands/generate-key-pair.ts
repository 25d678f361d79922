import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import type { Context } from '../context.ts'
import { CommandFailure, plainFailure } from '../failure.ts'
import { keyPassword } from '../key-files.ts'

export interface GenerateKeyPairFlags {
  readonly outputKeyPrefix: string
}

/** `generate-key-pair` */
export async function run(context: Context, flags: GenerateKeyPairFlags): Promise<void> {
  const privateFile = `${flags.outputKeyPrefix}.key`
  const publicFile = `${flags.outputKeyPrefix}.pub`
  const there = [privateFile, publicFile].find((file) => existsSync(file))
  if (there !== undefined) {
    throw new CommandFailure(`${there} exists: remove it, or choose --output-key-prefix`)
  }
  try {
    const password = await keyPassword(context, { isNew: true })
    const { generateKeyPair } = await import('@katman/sign')
    const pair = await generateKeyPair({ password })
    await writeFile(privateFile, pair.privateKey, { mode: 0o600, flag: 'wx', flush: true })
    context.stdout.write(`Private key written to ${privateFile}\n`)
    await writeFile(publicFile, pair.publicKey, { mode: 0o644, flag: 'wx', flush: true })
    context.stdout.write(`Public key written to ${publicFile}\n`)
  } catch (error) {
    throw plainFailure(error)
  }
}
