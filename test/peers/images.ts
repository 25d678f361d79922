import { existsSync } from 'node:fs'
import path from 'node:path'

const repository = path.resolve(import.meta.dirname, '..', '..')

/**
 * The OCI layout folder with the real images (alpine:3.20, alpine:3.12, busybox:latest, hello-world:latest),
 * or undefined. It is `KATMAN_TEST_IMAGES`, else the folder `shared/images` beside this checkout. This is the
 * only place that knows where they are.
 */
export function findTestImages(): string | undefined {
  const candidates = [
    process.env['KATMAN_TEST_IMAGES'],
    path.resolve(repository, '..', 'shared', 'images'),
  ]
  return candidates.find(
    (folder) =>
      folder !== undefined && folder !== '' && existsSync(path.join(folder, 'oci-layout')),
  )
}

/** Like `findTestImages`, for a test that has already required them. */
export function testImages(): string {
  const folder = findTestImages()
  if (folder === undefined) throw new Error('no test images: set KATMAN_TEST_IMAGES')
  return folder
}
