import { readFile } from 'node:fs/promises'
import { canonicalName, type Descriptor, parseReference, type Reference } from '@katman/oci'
import {
  readPublicKey,
  readTrustRoot,
  type VerifiedSignature,
  verifyImage,
  type VerifyOptions,
} from '@katman/sign'
import type { Context } from '../context.ts'
import { openSource, parsePlace } from '../copy-places.ts'
import { narrowTo } from '../narrow-to.ts'
import { CommandFailure, plainFailure } from '../failure.ts'
import { annotationsOf, readKeyText } from '../key-files.ts'
import { escapeTerminal } from '../terminal/escape.ts'
import { goJson } from '../terminal/go-json.ts'
import { typedPlatform } from '../host-platform.ts'

export interface VerifyFlags {
  readonly annotations: readonly string[]
  readonly bundle: string | undefined
  readonly certificateIdentity: string | undefined
  readonly certificateOidcIssuer: string | undefined
  readonly format: string | undefined
  readonly identity: string | undefined
  readonly insecureIgnoreSct: boolean
  readonly key: string | undefined
  readonly platform: string | undefined
  readonly trustedRoot: string | undefined
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
    const trust = await trustOf(context, flags)
    const wanted = flags.identity ? parseReference(flags.identity) : undefined
    await using stack = new AsyncDisposableStack()
    const opened = await openSource(context, parsePlace(name), stack)
    const image = flags.platform
      ? await narrowTo(opened, typedPlatform(flags.platform))
      : opened.root
    const signatures = await verifyImage(opened.source, image, {
      signal: context.signal,
      ...trust,
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

/** What is believed: a key, or certificates of someone; and the bundle to check, when one is named. */
async function trustOf(
  context: Context,
  flags: VerifyFlags,
): Promise<Pick<VerifyOptions, 'keys' | 'certificate' | 'bundles'>> {
  const { certificateIdentity: subject, certificateOidcIssuer: issuer, key, trustedRoot } = flags
  const bundles = flags.bundle ? { bundles: [await readSmallFile(flags.bundle)] } : {}
  if (key && (subject || issuer || trustedRoot)) {
    throw new CommandFailure('give either --key, or what a certificate must be')
  }
  if (key) return { ...bundles, keys: [readPublicKey(await readKeyText(context, key), key)] }
  if (subject && issuer && trustedRoot) {
    const root = await readTrustRoot(await readSmallFile(trustedRoot), trustedRoot)
    const ignoreCertificateLog = flags.insecureIgnoreSct
    return { ...bundles, certificate: { root, subject, issuer, ignoreCertificateLog } }
  }
  throw new CommandFailure(
    'whom to believe? Give --key FILE, or --trusted-root FILE with --certificate-identity and --certificate-oidc-issuer',
  )
}

async function readSmallFile(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new CommandFailure(`cannot read ${file}: ${reason}`, { cause })
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
  for (const { layout, identity, key, certificate, annotations } of signatures) {
    const said = Object.entries(annotations).map((pair) => escapeTerminal(pair.join('=')))
    lines.push(
      layout === 'tag' ? 'Signature (under the tag of the image):' : 'Signature (Sigstore bundle):',
      ...signerLines(key, certificate),
      '  over exactly this digest',
      nameLine(identity, isNameChecked),
      ...(said.length === 0 ? [] : [`  says ${said.join(', ')}`]),
    )
  }
  if (signatures.some(({ key }) => key !== undefined)) {
    lines.push('Not checked: a transparency log')
  }
  return `${lines.join('\n')}\n`
}

function signerLines(
  key: string | undefined,
  certificate: VerifiedSignature['certificate'],
): readonly string[] {
  if (certificate === undefined) return [`  made with key sha256:${key ?? ''}`]
  return [
    `  made by ${escapeTerminal(certificate.subject)}, as ${escapeTerminal(certificate.issuer)} says`,
    '  with a certificate of a trusted authority, and logged while that was valid',
  ]
}

function nameLine(identity: string | undefined, isChecked: boolean): string {
  if (identity === undefined) return '  for no name'
  return `  for the name ${escapeTerminal(identity)}${isChecked ? '' : ' (not compared: no --identity)'}`
}
