import { runChecked } from './terminal.ts'

/** The real images, by the name they carry in the layout of `images.ts`. */
export const REAL_IMAGES = [
  'alpine:3.20',
  'alpine:3.12',
  'busybox:latest',
  'hello-world:latest',
] as const

/**
 * Copies one image, with all its platforms, from an OCI layout to a plain-http registry.
 * `target` is `HOST/REPOSITORY:TAG`.
 */
export async function copyToRegistry(
  layout: string,
  name: string,
  target: string,
  credentials?: string,
): Promise<void> {
  const flags = ['--quiet', '--all', '--dest-tls-verify=false']
  if (credentials !== undefined) flags.push('--dest-creds', credentials)
  const places = [`oci:${layout}:${name}`, `docker://${target}`]
  await runChecked('/usr/bin/skopeo', ['copy', ...flags, ...places])
}

/** Copies one image, with all its platforms, from a plain-http registry to an OCI layout folder. */
export async function copyFromRegistry(
  source: string,
  layout: string,
  name: string,
): Promise<void> {
  const flags = ['--quiet', '--all', '--src-tls-verify=false']
  const places = [`docker://${source}`, `oci:${layout}:${name}`]
  await runChecked('/usr/bin/skopeo', ['copy', ...flags, ...places])
}

/** Fills a registry with the real images under `library/`. */
export async function pushRealImages(
  layout: string,
  host: string,
  credentials?: string,
): Promise<void> {
  // One after the other: skopeo writes the shared blobs only once that way.
  for (const name of REAL_IMAGES) {
    await copyToRegistry(layout, name, `${host}/library/${name}`, credentials)
  }
}
