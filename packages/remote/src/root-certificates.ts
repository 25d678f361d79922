import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

/** Files and folders with authorities that are trusted for every host. */
export interface RootCertificateSources {
  readonly files: readonly string[]
  readonly directories: readonly string[]
}

/**
 * The authorities trusted by this machine: Node's, the system's, and those of the given places (PEM). Read when the
 * first https connection is made, because a folder may hold hundreds. Places that cannot be read hold none.
 */
export function readRootCertificates(sources: RootCertificateSources): readonly string[] {
  const tls = process.getBuiltinModule('node:tls')
  const own = [...sources.files, ...sources.directories.flatMap(certificatesIn)].flatMap(readText)
  return [
    ...new Set([...tls.getCACertificates('default'), ...tls.getCACertificates('system'), ...own]),
  ]
}

function certificatesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
      .filter((name) => /\.(?:pem|crt|cer)$/.test(name))
      .map((name) => path.join(directory, name))
  } catch {
    return []
  }
}

function readText(file: string): readonly string[] {
  try {
    return [readFileSync(file, 'utf8')]
  } catch {
    return []
  }
}
