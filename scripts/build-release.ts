// Builds the release: `dist/katman` is the npm package `katman`, one bundle with lazily loaded chunks.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { rolldown } from 'rolldown'

const root = path.resolve(import.meta.dirname, '..')
const source = path.join(root, 'packages/cli')
const target = path.join(root, 'dist/katman')

rmSync(target, { recursive: true, force: true })
mkdirSync(path.join(target, 'bin'), { recursive: true })
const bundle = await rolldown({
  input: {
    main: path.join(source, 'src/main.ts'),
    index: path.join(source, 'src/index.ts'),
    'index-worker': path.join(root, 'packages/layer/src/index-worker.ts'),
    'replica-thread': path.join(root, 'packages/registry/src/server/replica-thread.ts'),
  },
  platform: 'node',
})
const { output } = await bundle.write({
  dir: path.join(target, 'lib'),
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: 'chunks/[name]-[hash].js',
  minify: true,
})
await bundle.close()

writeFileSync(
  path.join(target, 'bin/katman.js'),
  [
    '#!/usr/bin/env node',
    "import { enableCompileCache } from 'node:module'",
    'enableCompileCache()',
    "const { main } = await import('../lib/main.js')",
    'await main(process.argv)',
    '',
  ].join('\n'),
  { mode: 0o755 },
)
const manifest = JSON.parse(readFileSync(path.join(source, 'package.json'), 'utf8')) as {
  name: string
  version: string
  description: string
  license: string
}
const { name, version, description, license } = manifest
writeFileSync(
  path.join(target, 'package.json'),
  `${JSON.stringify(
    {
      name,
      version,
      description,
      license,
      type: 'module',
      bin: { katman: 'bin/katman.js' },
      exports: { '.': './lib/index.js' },
      engines: { node: '>=24' },
    },
    undefined,
    2,
  )}\n`,
)
for (const file of ['LICENSE', 'README.md']) cpSync(path.join(root, file), path.join(target, file))
const bytes = output.reduce((sum, chunk) => sum + ('code' in chunk ? chunk.code.length : 0), 0)
console.log(`dist/katman: ${output.length} files, ${(bytes / 1e3).toFixed(0)} kB`)
