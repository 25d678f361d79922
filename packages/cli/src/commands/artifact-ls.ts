import { listFiles, type ListedFile } from '@katman/artifact'
import { parseManifest } from '@katman/oci'
import { readVerified } from '@katman/transfer'
import { openArtifact } from '../artifact-place.ts'
import type { Context } from '../context.ts'
import { CommandFailure, plainFailure } from '../failure.ts'
import { renderRows } from '../terminal/format-rows.ts'
import { formatSize } from '../terminal/size.ts'

export interface ArtifactLsFlags {
  readonly format: string | undefined
  readonly platform: string | undefined
  readonly quiet: boolean
}

/** `artifact ls NAME` */
export async function run(
  context: Context,
  flags: ArtifactLsFlags,
  [name = '']: readonly string[],
): Promise<void> {
  try {
    await using stack = new AsyncDisposableStack()
    const { source, root } = await openArtifact(context, name, flags.platform, stack)
    const bytes = await readVerified(source, root, { signal: context.signal })
    const manifest = parseManifest(bytes, root.mediaType)
    if (manifest.kind === 'index') {
      throw new CommandFailure(`${name} is an index: choose an entry with --platform or by digest`)
    }
    const text = await renderRows({
      rows: listFiles(manifest),
      fields: {
        Name: { header: 'NAME', value: ({ title }: ListedFile) => title ?? '<none>' },
        MediaType: {
          header: 'MEDIA TYPE',
          value: ({ descriptor }: ListedFile) => descriptor.mediaType,
        },
        Size: {
          header: 'SIZE',
          value: ({ descriptor }: ListedFile) => formatSize(descriptor.size),
        },
        Digest: { header: 'DIGEST', value: ({ descriptor }: ListedFile) => descriptor.digest },
      },
      defaultTable: ['Name', 'MediaType', 'Size', 'Digest'],
      format: flags.format,
      quiet: flags.quiet ? 'Name' : undefined,
      typeName: 'fileContext',
    })
    context.stdout.write(text)
  } catch (error) {
    throw plainFailure(error)
  }
}
