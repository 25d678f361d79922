import { isKatmanError, type Platform } from '@katman/oci'
import {
  findPlatformImage,
  type ImageDocument,
  type ImageView,
  inspectImage,
  inspectView,
  loadImages,
} from '@katman/store'
import type { Context } from './context.ts'
import { CommandFailure, daemonFailure, daemonPrefix, dockerText, plainFailure } from './failure.ts'
import { typedPlatform } from './host-platform.ts'
import { jsonForm, nilMap, nilSlice } from './terminal/go-value.ts'
import { inspectTemplate, type Inspected, renderInspect } from './render-inspect.ts'

export interface InspectOptions {
  readonly format: string | undefined
  /** The type asked for; of any but images there is none. */
  readonly kind: string
  /** The platform of each image, as typed. Default: the one its name shows. */
  readonly platform: string | undefined
}

/**
 * Prints images as docker's `inspect` does: what is found on stdout, a line for each that is not on stderr.
 */
export async function inspectImages(
  context: Context,
  names: readonly string[],
  { format, kind, platform: typed }: InspectOptions,
): Promise<void> {
  const platform = wantedPlatform(typed)
  // A template that is not well formed is told before anything is looked up.
  if (format !== undefined && format !== '' && format !== 'json') inspectTemplate(format)
  await using store = await context.openStore()
  const images = kind === 'any' || kind === 'image' ? await loadImages(store) : []
  const found: Inspected[] = []
  const misses: string[] = []
  for (const name of names) {
    try {
      found.push(await inspected(await findPlatformImage(store, images, name, { platform })))
    } catch (error) {
      misses.push(missText(name, kind, error))
    }
  }
  const { text, failure } = renderInspect(format, found)
  context.stdout.write(text)
  const lines = [...(failure === undefined ? [] : [failure.message]), ...misses]
  if (lines.length > 0) throw new CommandFailure(lines.join('\n'))
}

function wantedPlatform(text: string | undefined): Platform | undefined {
  try {
    return text ? typedPlatform(text) : undefined
  } catch (error) {
    throw plainFailure(error)
  }
}

async function inspected(image: ImageView): Promise<Inspected> {
  return { document: await inspectImage(image), view: clientView(await inspectView(image)) }
}

/**
 * The image as docker's client holds it. Its id is `ID` there (with `Id` the client turns to the engine's JSON), and
 * absent parts of the config are nil: a template prints them empty, JSON leaves them out (hence not enumerable).
 */
function clientView(view: ImageDocument): ImageDocument {
  const config: Record<string, unknown> = { ...configOf(view) }
  for (const [names, nil] of nilFields) {
    for (const name of names) {
      if (config[name] === undefined) {
        Object.defineProperty(config, name, { value: nil, enumerable: false })
      }
    }
  }
  const { Id: id, ...rest } = view
  const json = { ...view, Config: config }
  return { ID: id, ...rest, Config: config, [jsonForm]: json }
}

const nilFields = [
  [['ExposedPorts', 'Volumes', 'Labels'], nilMap],
  [['Env', 'Entrypoint', 'Cmd', 'OnBuild', 'Shell'], nilSlice],
] as const

function configOf({ Config: config }: ImageDocument): object {
  return typeof config === 'object' && config !== null ? config : {}
}

function missText(name: string, kind: string, error: unknown): string {
  if (isKatmanError(error, 'PLATFORM_UNKNOWN')) return daemonFailure(error).message
  if (name === '') return 'Error: No such image: '
  if (kind === 'any') return `Error: No such object: ${name}`
  if (kind !== 'image') return `Error: No such ${kind}: ${name}`
  return `${daemonPrefix}no such image: ${name}: ${dockerText(error)}`
}
