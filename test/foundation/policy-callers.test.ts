import { describe, expect, it } from 'vitest'
import { isShipped, readSources } from './source-files.ts'

/** What moves content from one place to another. */
const movers = [
  'copyContent',
  'copyCosignTags',
  'loadImage',
  'pullImage',
  'pushImage',
  'saveArchive',
  'store.check',
  'unpackArtifact',
]

/** Each file of the commands that moves content: the file that asks the signature policy for it, or why nobody must. */
const callers: Readonly<Record<string, { readonly asks: string } | { readonly why: string }>> = {
  'commands/artifact-pull.ts': { asks: 'commands/artifact-pull.ts' },
  'commands/fsck.ts': { why: 'fetches again, by digest, what the store had' },
  'commands/imagetools-create.ts': { asks: 'commands/imagetools-create.ts' },
  'commands/import.ts': { why: 'files of a tar archive, which are no image before' },
  'commands/load.ts': { asks: 'commands/load.ts' },
  'commands/manifest-push.ts': { asks: 'commands/manifest-push.ts' },
  'commands/pull.ts': { asks: 'commands/pull.ts' },
  'commands/push.ts': { why: 'the local store is not asked about' },
  'commands/save.ts': { why: 'the local store is not asked about' },
  'copy-dry-run.ts': { asks: 'commands/cp.ts' },
  'copy-target.ts': { asks: 'commands/cp.ts' },
  'demo/demo-image.ts': { why: 'makes its image itself' },
  'push-artifact.ts': { why: 'files of this user' },
  'sync/sync-image.ts': { asks: 'sync/sync-image.ts' },
}

const folder = 'packages/cli/src/'
const sources = new Map(
  readSources()
    .filter((source) => isShipped(source) && source.file.startsWith(folder))
    .map(({ file, text }) => [file.slice(folder.length), text]),
)

describe('the signature policy', () => {
  it('is asked wherever a command moves content', () => {
    const call = new RegExp(`\\b(?:${movers.join('|')})\\(`)
    const found = [...sources].filter(([, text]) => call.test(text)).map(([file]) => file)
    expect(found.toSorted()).toEqual(Object.keys(callers).toSorted())
    for (const [file, caller] of Object.entries(callers)) {
      if ('asks' in caller) expect(sources.get(caller.asks), file).toMatch(/\bawait admit\(/)
    }
  })
})
