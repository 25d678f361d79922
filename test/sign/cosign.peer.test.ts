import { generateKeyPairSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { openMemoryStorage, serveRegistry } from '@katman/registry'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { testImages } from '../peers/images.ts'
import { startRegistry } from '../peers/registry.ts'
import { describePeers, goTool } from '../peers/require-peer.ts'
import { copyToRegistry } from '../peers/skopeo.ts'
import { type CommandResult, runChecked, runCommand } from '../peers/terminal.ts'
import { openProgram, type ProgramResult, type TestProgram } from '../program/run-in-process.ts'

const env = { COSIGN_PASSWORD: 'secret' }
/** cosign, without a transparency log. */
const privateSign = ['sign', '--yes', '--use-signing-config=false', '--tlog-upload=false']
const privateVerify = ['verify', '--insecure-ignore-tlog', '--output', 'json']
const classic = '--new-bundle-format=false'

const servers = [
  ['docker-registry, which lists no referrers', () => startRegistry()],
  ['a registry that lists referrers', startOwnRegistry],
] as const

for (const [title, start] of servers) {
  describePeers(
    `cosign and katman at ${title}`,
    ['cosign', 'docker-registry', 'skopeo', 'images'],
    () => {
      let katman: TestProgram
      let registry: { readonly host: string } & AsyncDisposable
      let count = 0
      let image: string
      let digest: string

      beforeAll(async () => {
        katman = await openProgram()
        registry = await start()
        for (const name of ['cosign', 'stranger']) {
          await runChecked(
            goTool('cosign'),
            ['generate-key-pair', '--output-key-prefix', file(name)],
            {
              env: { ...process.env, ...env },
            },
          )
        }
        const made = await katman.runWith(
          { env },
          'generate-key-pair',
          '--output-key-prefix',
          file('katman'),
        )
        expect(made).toMatchObject({ exitCode: 0 })
      })
      afterAll(async () => {
        await registry[Symbol.asyncDispose]()
        await katman[Symbol.asyncDispose]()
      })
      beforeEach(async () => {
        image = `${registry.host}/team/app${++count}:1`
        await copyToRegistry(testImages(), 'hello-world:latest', image)
        const tags = await katman.run('tags', image.replace(/:1$/, ''), '--format', '{{.Digest}}')
        digest = tags.stdout.trim()
        expect(digest).toMatch(/^sha256:/)
      })

      const file = (name: string): string => path.join(katman.folder, name)
      const run = (...words: readonly string[]): Promise<ProgramResult> =>
        katman.runWith({ env }, ...words)
      const cosign = (...words: readonly string[]): Promise<CommandResult> =>
        runCommand(goTool('cosign'), words, { env: { ...process.env, ...env } })
      /** cosign is content. */
      const accepts = async (key: string, ...words: readonly string[]): Promise<unknown> => {
        const result = await cosign(...privateVerify, '--key', file(`${key}.pub`), ...words)
        expect(result, result.stderr).toMatchObject({ exitCode: 0 })
        return JSON.parse(result.stdout)
      }
      const pinned = (): string => image.replace(/:1$/, `@${digest}`)

      it.each(['tag', 'bundle', 'both'])(
        'cosign accepts what katman signed (%s)',
        async (layout) => {
          const signed = await run(
            'sign',
            '--layout',
            layout,
            '--key',
            file('katman.key'),
            '-a',
            'who=me',
            image,
          )
          expect(signed, signed.stderr).toMatchObject({ exitCode: 0 })
          expect(await accepts('katman', image)).toMatchObject([
            { critical: { image: { 'docker-manifest-digest': digest } }, optional: { who: 'me' } },
          ])
          if (layout !== 'bundle') await accepts('katman', classic, image)
          const other = await cosign(...privateVerify, '--key', file('stranger.pub'), image)
          expect(other.exitCode).not.toBe(0)
        },
      )

      it.each([
        ['a tag', 'tag', [classic]],
        ['a bundle', 'bundle', []],
      ] as const)('katman accepts what cosign signed, as %s', async (_, layout, words) => {
        const signed = await cosign(...privateSign, ...words, '--key', file('cosign.key'), pinned())
        expect(signed, signed.stderr).toMatchObject({ exitCode: 0 })
        const verified = await run('verify', '--key', file('cosign.pub'), '--format', 'json', image)
        expect(verified, verified.stderr).toMatchObject({ exitCode: 0 })
        expect(JSON.parse(verified.stdout)).toMatchObject({
          digest,
          signatures: [{ layout, digest }],
        })
        const other = await run('verify', '--key', file('stranger.pub'), image)
        expect(other).toMatchObject({ exitCode: 1, stdout: '' })
      })

      it.each(['P-384', 'P-521', 'RSA'])('agree about other kinds of keys: %s', async (kind) => {
        const pair =
          kind === 'RSA'
            ? generateKeyPairSync('rsa', { modulusLength: 2048 })
            : generateKeyPairSync('ec', { namedCurve: kind })
        const plain = file(`${kind}.pem`)
        await writeFile(plain, pair.privateKey.export({ format: 'pem', type: 'pkcs8' }))
        const imported = ['import-key-pair', '--yes', '--key', plain]
        const made = await cosign(...imported, '--output-key-prefix', file(kind))
        expect(made, made.stderr).toMatchObject({ exitCode: 0 })
        for (const words of [[classic], []]) {
          const key = ['--key', file(`${kind}.key`)]
          const signed = await cosign(...privateSign, ...words, ...key, pinned())
          expect(signed, signed.stderr).toMatchObject({ exitCode: 0 })
        }
        const verified = await run(
          'verify',
          '--format',
          'json',
          '--key',
          file(`${kind}.pub`),
          image,
        )
        expect(verified, verified.stderr).toMatchObject({ exitCode: 0 })
        expect((JSON.parse(verified.stdout) as { signatures: unknown[] }).signatures).toHaveLength(
          2,
        )
        const other = `${image}-ours`
        await copyToRegistry(testImages(), 'busybox:latest', other)
        const ours = await run('sign', '--key', file(`${kind}.key`), other)
        expect(ours, ours.stderr).toMatchObject({ exitCode: 0 })
        await accepts(kind, other)
      })

      it('each signs with the key of the other, and both signatures stay', async () => {
        const words = ['--key', file('katman.key'), pinned()]
        expect(await cosign(...privateSign, classic, ...words)).toMatchObject({ exitCode: 0 })
        const signed = await run('sign', '--layout', 'tag', '--key', file('cosign.key'), image)
        expect(signed).toMatchObject({ exitCode: 0 })
        await accepts('katman', image)
        await accepts('cosign', image)
        for (const key of ['katman.pub', 'cosign.pub']) {
          expect(await run('verify', '--key', file(key), image)).toMatchObject({ exitCode: 0 })
        }
      })

      it('cosign accepts every platform that katman signed with --recursive', async () => {
        const signed = await run('sign', '-r', '--key', file('katman.key'), image)
        const digests = Array.from(
          signed.stdout.matchAll(/@(sha256:\S+)/g),
          ([, found = '']) => found,
        )
        expect(digests.length).toBeGreaterThan(2)
        for (const one of digests.slice(0, 3))
          await accepts('katman', image.replace(/:1$/, `@${one}`))
      })

      it('both refuse another image under the tag, with the signature of the first moved along', async () => {
        await run('sign', '--layout', 'tag', '--key', file('katman.key'), image)
        await copyToRegistry(testImages(), 'busybox:latest', image)
        const [repository] = image.split(/:1$/)
        const tags = await run('tags', repository ?? '', '--format', '{{.Tag}} {{.Digest}}')
        const now = /^1 (sha256:\S+)/m.exec(tags.stdout)?.[1] ?? ''
        expect(now).not.toBe(digest)
        const place = (of: string): string => `${repository}:${of.replace(':', '-')}.sig`
        expect(await run('cp', place(digest), place(now))).toMatchObject({ exitCode: 0 })
        const theirs = await cosign(...privateVerify, '--key', file('katman.pub'), image)
        expect(theirs.exitCode).not.toBe(0)
        const ours = await run('verify', '--key', file('katman.pub'), image)
        expect(ours).toMatchObject({ exitCode: 1, stdout: '' })
        expect(ours.stderr).toContain(`a signature is for ${digest}`)
      })
    },
  )
}

async function startOwnRegistry(): Promise<{ readonly host: string } & AsyncDisposable> {
  const registry = await serveRegistry({ storage: await openMemoryStorage() })
  return { host: registry.host, [Symbol.asyncDispose]: () => registry.close() }
}
