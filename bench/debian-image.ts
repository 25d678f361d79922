import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'

/** The images of the benchmark: what each layer holds, in Debian packages. */
const recipes = {
  medium: [
    ['libc6', 'bash', 'coreutils', 'perl-base', 'libstdc++6', 'tar', 'dpkg', 'apt', 'libssl3'],
    ['perl', 'perl-modules-5.36', 'libperl5.36', 'git', 'git-man', 'openssl', 'ca-certificates'],
    ['python3.11', 'python3.11-minimal', 'libpython3.11-stdlib', 'libpython3.11', 'python3-numpy'],
    ['libnode108', 'libicu72', 'npm', 'node-typescript', 'python3-django'],
    ['vim-runtime', 'vim', 'tzdata', 'locales'],
  ],
  large: [
    ['libc6', 'bash', 'coreutils', 'perl-base', 'libstdc++6', 'tar', 'dpkg', 'apt', 'libssl3'],
    [
      'gcc-12',
      'cpp-12',
      'g++-12',
      'libgcc-12-dev',
      'libstdc++-12-dev',
      'binutils-x86-64-linux-gnu',
    ],
    ['openjdk-17-jre-headless', 'openjdk-17-jdk-headless', 'libicu72'],
    ['libllvm14', 'llvm-14', 'llvm-14-dev', 'clang-14', 'libclang-cpp14', 'libclang-common-14-dev'],
    ['libboost1.74-dev', 'cmake', 'cmake-data', 'qtbase5-dev', 'libqt5gui5', 'libgtk-3-dev'],
    ['libnode108', 'python3-numpy', 'python3-scipy', 'perl-modules-5.36', 'vim-runtime'],
  ],
} as const

export type ImageSize = keyof typeof recipes

export interface BenchImage {
  readonly name: ImageSize
  /** An OCI layout with the image under the tag `latest`. */
  readonly layout: string
  readonly layers: number
  readonly compressedBytes: number
  readonly tarBytes: number
}

/** Makes (once, then kept in `cache`) an image of unpacked Debian packages, gzip layers. Needs apt-get. */
export function debianImage(name: ImageSize, cache: string): BenchImage {
  const layout = path.join(cache, name)
  const facts = path.join(layout, 'facts.json')
  if (!existsSync(facts)) {
    const building = `${layout}.building`
    rmSync(building, { recursive: true, force: true })
    mkdirSync(path.join(building, 'blobs/sha256'), { recursive: true })
    const built = buildLayout(name, building)
    writeFileSync(path.join(building, 'facts.json'), JSON.stringify(built))
    rmSync(layout, { recursive: true, force: true })
    renameSync(building, layout)
  }
  return { ...(JSON.parse(readFileSync(facts, 'utf8')) as BenchImage), layout }
}

function buildLayout(name: ImageSize, folder: string): BenchImage {
  const diffIDs: string[] = []
  const layers: unknown[] = []
  let compressedBytes = 0
  let tarBytes = 0
  for (const packages of recipes[name]) {
    const tar = layerTar(packages, path.join(folder, 'work'))
    tarBytes += statSync(tar).size
    diffIDs.push(`sha256:${sha256(tar)}`)
    execFileSync('gzip', ['-n', '-6', tar])
    const descriptor = addFile(folder, `${tar}.gz`)
    compressedBytes += descriptor.size
    layers.push({ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', ...descriptor })
  }
  rmSync(path.join(folder, 'work'), { recursive: true, force: true })
  const config = addDocument(folder, {
    architecture: 'amd64',
    os: 'linux',
    created: '2024-01-01T00:00:00Z',
    config: { Cmd: ['/bin/bash'] },
    rootfs: { type: 'layers', diff_ids: diffIDs },
    history: diffIDs.map(() => ({ created: '2024-01-01T00:00:00Z', created_by: 'dpkg-deb -x' })),
  })
  const manifest = addDocument(folder, {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers,
  })
  const entry = {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    ...manifest,
    annotations: { 'org.opencontainers.image.ref.name': 'latest' },
  }
  writeFileSync(
    path.join(folder, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [entry] }),
  )
  writeFileSync(path.join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  return { name, layout: folder, layers: layers.length, compressedBytes, tarBytes }
}

function layerTar(packages: readonly string[], work: string): string {
  rmSync(work, { recursive: true, force: true })
  const root = path.join(work, 'root')
  mkdirSync(root, { recursive: true })
  execFileSync('apt-get', ['download', '-qq', ...packages], { cwd: work, stdio: 'ignore' })
  execFileSync('sh', ['-c', 'for deb in *.deb; do dpkg-deb -x "$deb" root; done'], { cwd: work })
  const tar = path.join(work, 'layer.tar')
  execFileSync('tar', ['--sort=name', '--mtime=@1700000000', '-cf', tar, '-C', root, '.'])
  return tar
}

function sha256(file: string): string {
  return execFileSync('sha256sum', [file], { encoding: 'utf8' }).slice(0, 64)
}

function addFile(folder: string, file: string): { readonly digest: string; readonly size: number } {
  const hex = sha256(file)
  const { size } = statSync(file)
  renameSync(file, path.join(folder, 'blobs/sha256', hex))
  return { digest: `sha256:${hex}`, size }
}

function addDocument(
  folder: string,
  document: unknown,
): { readonly digest: string; readonly size: number } {
  const bytes = JSON.stringify(document)
  const hex = createHash('sha256').update(bytes).digest('hex')
  writeFileSync(path.join(folder, 'blobs/sha256', hex), bytes)
  return { digest: `sha256:${hex}`, size: Buffer.byteLength(bytes) }
}
