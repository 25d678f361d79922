import { runCommand } from '../peers/terminal.ts'
import { listManifests } from './fixtures.ts'
import type { Catalog } from './fixtures.ts'
import { splitWords } from './step.ts'
import type { Outcome, Step } from './step.ts'

/** Where a sequence runs. */
export interface SequencePlace {
  /** The program called `docker`. */
  readonly program: string
  readonly env: NodeJS.ProcessEnv
  /** `127.0.0.1:PORT` of the open registry. */
  readonly registry: string
  /** `127.0.0.1:PORT` of the registry with a password. */
  readonly authRegistry: string
  /** `127.0.0.1:PORT` of the server with Hub's search. */
  readonly hub: string
  /** `127.0.0.1:PORT` of the registry that is empty at first. */
  readonly empty: string
  /** The home folder of the run, empty at first. */
  readonly home: string
  /** Texts that differ from run to run (folders), with the word to print instead. */
  readonly masks: readonly (readonly [text: string, word: string])[]
}

/** As long as the real ones (five-digit ports), so that the widths of columns stay true. */
const REGISTRY = '127.0.0.1:55555'
const AUTH_REGISTRY = '127.0.0.1:55556'
const HUB = '127.0.0.1:55557'
const EMPTY = '127.0.0.1:55558'

/** Runs every step in order, in one place, and returns what each printed. */
export async function runSequence(
  steps: readonly Step[],
  catalog: Catalog,
  place: SequencePlace,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const step of steps) {
    const words = splitWords(fillLine(step.line, catalog, place))
    const result = await runCommand(place.program, words, {
      env: place.env,
      ...(step.stdin === undefined ? {} : { stdin: step.stdin }),
      timeoutMs: 60_000,
    })
    const mask = (text: string): string => maskText(text, place)
    outcomes.push({
      id: step.id,
      line: fillLine(step.line, catalog, {
        registry: REGISTRY,
        authRegistry: AUTH_REGISTRY,
        hub: HUB,
        empty: EMPTY,
        home: '/HOME',
      }),
      stdout: mask(result.stdout),
      stderr: mask(result.stderr),
      exitCode: result.exitCode,
    })
  }
  return outcomes
}

type Hosts = Pick<SequencePlace, 'registry' | 'authRegistry' | 'hub' | 'empty' | 'home'>

function fillLine(line: string, catalog: Catalog, hosts: Hosts): string {
  return line
    .replaceAll(/\bREG\b/g, hosts.registry)
    .replaceAll(/\bAUTH\b/g, hosts.authRegistry)
    .replaceAll(/\bHUB\b/g, hosts.hub)
    .replaceAll(/\bEMPTY\b/g, hosts.empty)
    .replaceAll('/HOME/', `${hosts.home}/`)
    .replaceAll('{hex}', '0'.repeat(64))
    .replaceAll('{long}', 'a'.repeat(256))
    .replaceAll(/\{(id|short|digest):([^{}]+)\}/g, (_all, kind: string, name: string) => {
      const entry = catalog.entries.find((one) => `${one.repository}:${one.tag}` === name)
      if (entry === undefined) throw new Error(`the catalog has no ${name}`)
      if (kind === 'digest') return entry.digest
      // The children of the test's indexes begin with linux/amd64, and a manifest's first blob is its config.
      const config = listManifests(catalog, entry)[0]?.blobs[0] ?? ''
      const hex = config.slice('sha256:'.length)
      return kind === 'short' ? hex.slice(0, 12) : hex
    })
}

function maskText(text: string, place: SequencePlace): string {
  let masked = text
    .replaceAll(place.registry, REGISTRY)
    .replaceAll(place.authRegistry, AUTH_REGISTRY)
    .replaceAll(place.hub, HUB)
    .replaceAll(place.empty, EMPTY)
    .replaceAll(place.home, '/HOME')
    .replaceAll(encodeURIComponent(place.hub), encodeURIComponent(HUB))
  for (const [from, to] of place.masks) masked = masked.replaceAll(from, to)
  return masked
}
