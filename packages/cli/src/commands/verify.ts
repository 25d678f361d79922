import { canonicalName, type Descriptor, parseReference, type Reference } from '@katman/oci'
import { readPublicKey, type VerifiedSignature, verifyImage } from '@katman/sign'
import type { Context } from '../context.ts'
import { narrowTo, openSource, parsePlace } from '../copy-places.ts'
import { CommandFailure, plainFailure } from '../failure.ts'
import { annotationsOf, readKeyText } from '../key-files.ts'
import { escapeTerminal } from '../terminal/escape.ts'
import { goJson } from '../terminal/go-json.ts'
import { typedPlatform } from '../host-platform.ts'

export interface VerifyFlags {
  readonly annotations: readonly string[]
  readonly format: string | undefined
  readonly identity: string | undefined
  readonly key: string | undefined
  readonly platform: string | undefined
}

/** `verify --key KEY NAME[:TAG|@DIGEST]` */
export async function run(
  context: Context,
  flags: VerifyFlags,
  [name = '']: readonly string[],
): Promise<void> {
  const format = flags.format || 'text'
  if (format !== 'text' && format !== 'json') {
    throw new CommandFailure(`verify: unknown format ${format}: choose 'text' or 'json'`)
  }
  try {
    if (!flags.key) throw new CommandFailure('which key? Give --key FILE or --key env://VARIABLE')
    const keys = [readPublicKey(await readKeyText(context, flags.key), flags.key)]
    const wanted = flags.identity ? parseReference(flags.identity) : undefined
    await using stack = new AsyncDisposableStack()
    const opened = await openSource(context, parsePlace(name), stack)
    const image = flags.platform
      ? await narrowTo(opened, typedPlatform(flags.platform))
      : opened.root
    const signatures = await verifyImage(opened.source, image, {
      signal: context.signal,
      keys,
      annotations: annotationsOf(flags.annotations),
      ...(wanted === undefined
        ? {}
        : { acceptIdentity: (text: string) => vouchesFor(text, wanted) }),
    })
    const text =
      format === 'json'
        ? `${goJson({ name, digest: image.digest, signatures })}\n`
        : textOf(name, image, signatures, wanted !== undefined)
    context.stdout.write(text)
  } catch (error) {
    throw plainFailure(error)
  }
}

/** A name with a tag is vouched for by that tag only; one without by any signature of the repository. */
function vouchesFor(identity: string, wanted: Reference): boolean {
  let signed: Reference
  try {
    signed = parseReference(identity)
  } catch {
    return false
  }
  return (
    canonicalName(signed) === canonicalName(wanted) &&
    (wanted.tag === undefined || signed.tag === wanted.tag)
  )
}

function textOf(
  name: string,
  { digest }: Descriptor,
  signatures: readonly VerifiedSignature[],
  isNameChecked: boolean,
): string {
  const lines = [`${escapeTerminal(name)}: verified`, `Digest: ${digest}`]
  for (const { layout, identity, key, annotations } of signatures) {
    const said = Object.entries(annotations).map((pair) => escapeTerminal(pair.join('=')))
    lines.push(
      layout === 'tag' ? 'Signature (under the tag of the image):' : 'Signature (Sigstore bundle):',
      `  made with key sha256:${key}`,
      '  over exactly this digest',
      nameLine(identity, isNameChecked),
      ...(said.length === 0 ? [] : [`  says ${said.join(', ')}`]),
    )
  }
  lines.push('Not checked: a transparency log')
  return `${lines.join('\n')}\n`
}

function nameLine(identity: string | undefined, isChecked: boolean): string {
  if (identity === undefined) return '  for no name'
  return `  for the name ${escapeTerminal(identity)}${isChecked ? '' : ' (not compared: no --identity)'}`
}
