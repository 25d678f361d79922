import { decompressed, type ExportedLayer, exportTree } from '@katman/layer'
import { type Descriptor, layerCompression } from '@katman/oci'
import { findPlatformImage, type ImageView, loadImages, type Store } from '@katman/store'
import { verified } from '@katman/transfer'
import type { Context } from '../context.ts'
import { CommandFailure, daemonFailure, plainFailure } from '../failure.ts'
import { typedPlatform } from '../host-platform.ts'
import { layerAt } from '../image-layers.ts'
import { checkOutput, writeFileWhole, writeOutput } from '../write-file.ts'

export interface ExportFlags {
  readonly output: string | undefined
  readonly platform: string | undefined
}

/** `export IMAGE` */
export async function run(
  context: Context,
  flags: ExportFlags,
  [name = '']: readonly string[],
): Promise<void> {
  const { output } = flags
  if (!output && context.stdout.isTerminal) {
    throw new CommandFailure('cowardly refusing to save to a terminal. Use the -o flag or redirect')
  }
  if (output) checkOutput(output, 'export')
  await using store = await context.openStore()
  const image = await findExported(store, name, flags.platform)
  const { signal } = context
  try {
    const bytes = exportTree(await layersOf(store, image, { signal }))
    if (output) await writeFileWhole(bytes, output)
    else await writeOutput(bytes, context.stdout)
  } catch (error) {
    throw plainFailure(error)
  }
}

async function findExported(
  store: Store,
  name: string,
  platform: string | undefined,
): Promise<ImageView> {
  try {
    const wanted = platform ? typedPlatform(platform) : undefined
    const images = await loadImages(store)
    return await findPlatformImage(store, images, name, { platform: wanted, orLower: true })
  } catch (error) {
    throw daemonFailure(error)
  }
}

async function layersOf(
  store: Store,
  image: ImageView,
  call: { readonly signal: AbortSignal },
): Promise<readonly ExportedLayer[]> {
  const { diffIDs } = await image.readConfig()
  const manifest = await image.readManifest()
  const layers: ExportedLayer[] = []
  for (const [position, diffID] of diffIDs.entries()) {
    const layer = layerAt(manifest, position)
    const index = await store.readLayerIndex(diffID)
    layers.push({ index, open: () => openLayer(store, layer, call) })
  }
  return layers
}

async function* openLayer(
  store: Store,
  layer: Descriptor,
  call: { readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  const bytes = verified(await store.open(layer, call), layer, store.name)
  yield* decompressed(bytes, layerCompression(layer.mediaType) ?? 'detect', call)
}
