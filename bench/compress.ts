// Times gzip in blocks beside gzip and pigz on the same tar, level 6. `node bench/compress.ts [FILE]`
import { execFileSync } from 'node:child_process'
import { createReadStream, createWriteStream, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { gzipped } from '@katman/layer'
import { type Run, run, warmMemory } from './measure.ts'
import { megabytes, ratio, report, rounds, scratchFolder } from './report.ts'

/** This file is run by itself, too, to pack one file: its memory is then its own. */
const [, , first, input = '', output = '', workers = '1'] = process.argv
if (first === '--pack') {
  const source = createReadStream(input, { highWaterMark: 1024 * 1024 })
  await pipeline(gzipped(source, { workers: Number(workers) }), createWriteStream(output))
} else await compare(first)

async function compare(file: string | undefined): Promise<void> {
  const scratch = scratchFolder()
  try {
    const tar = file ?? path.join(scratch, 'input.tar')
    if (file === undefined) {
      const words = `tar -cf - -C /usr/lib . 2>/dev/null | head -c 200000000 > ${tar}`
      execFileSync('/bin/sh', ['-c', words])
    }
    const out = (name: string): string => path.join(scratch, `${name}.gz`)
    const self = [process.execPath, import.meta.filename, '--pack', tar]
    const ways: readonly (readonly [string, readonly string[]])[] = [
      ['katman, 1 worker', [...self, out('katman, 1 worker'), '1']],
      ['katman, 2 workers', [...self, out('katman, 2 workers'), '2']],
      ['katman, 4 workers', [...self, out('katman, 4 workers'), '4']],
      ['gzip', shell(`gzip -6 -nc ${tar} > '${out('gzip')}'`)],
      ...(hasPigz()
        ? [['pigz -p 2', shell(`pigz -6 -p 2 -nc ${tar} > '${out('pigz -p 2')}'`)] as const]
        : []),
    ]
    const runs = new Map<string, Run[]>(ways.map(([name]) => [name, []]))
    warmMemory(1)
    for (let round = 0; round < rounds; round++) {
      for (const [name, command] of ways) runs.get(name)?.push(run(command))
    }
    const bytes = statSync(tar).size
    console.log(`gzip level 6 of ${megabytes(bytes)} of tar`)
    for (const [name] of ways) {
      report(name, runs.get(name) ?? [])
      console.log(`    to ${megabytes(statSync(out(name)).size)}`)
    }
    const own = runs.get('katman, 2 workers') ?? []
    for (const [name] of ways) {
      if (!name.startsWith('katman')) {
        console.log(`  ratio of 2 workers to ${name} ${ratio(own, runs.get(name) ?? [])}`)
      }
    }
    execFileSync('cmp', [out('katman, 1 worker'), out('katman, 4 workers')])
    execFileSync('/bin/sh', ['-c', `gzip -dc '${out('katman, 4 workers')}' | cmp - ${tar}`])
    console.log('  the same bytes for 1 and 4 workers, and gzip reads them back')
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function shell(command: string): readonly string[] {
  return ['/bin/sh', '-c', command]
}

function hasPigz(): boolean {
  try {
    execFileSync('pigz', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
