import { existsSync, globSync, readFileSync } from 'node:fs'
import path from 'node:path'

import { describe, expect, it } from 'vitest'

import { ROOT } from './source-files.ts'

const pages = globSync('{*.md,docs/**/*.md,examples/**/*.md,bench/**/*.md,packages/*/*.md}', {
  cwd: ROOT,
}).filter((file) => !file.includes('node_modules'))

const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>
}

describe('documents', () => {
  it('link to files that are there', () => {
    const faults = pages.flatMap((file) => brokenLinks(file))
    expect(faults).toEqual([])
  })

  it('name npm scripts that are there', () => {
    const faults: string[] = []
    for (const file of pages) {
      for (const match of read(file).matchAll(/\bnpm run ([a-z][a-z:-]*)/g)) {
        const script = match[1] ?? ''
        if (manifest.scripts[script] === undefined) faults.push(`${file}: npm run ${script}`)
      }
    }
    expect(faults).toEqual([])
  })

  it('run files of the checkout that are there', () => {
    const faults: string[] = []
    const command = /(?:\bnode|\bbash|\bsh) ((?:\.\/)?[\w.-]+(?:\/[\w.-]+)+\.(?:ts|js|sh))\b/g
    for (const file of pages) {
      for (const match of read(file).matchAll(command)) {
        const target = match[1] ?? ''
        if (!existsSync(path.join(ROOT, target))) faults.push(`${file}: ${target}`)
      }
    }
    expect(faults).toEqual([])
  })
})

function brokenLinks(file: string): string[] {
  const text = read(file)
    .replaceAll(/```[\s\S]*?```/g, '')
    .replaceAll(/`[^`\n]*`/g, '')
  return Array.from(text.matchAll(/\]\(([^)\s]+)\)/g), (match) => match[1] ?? '')
    .filter((link) => !/^(?:[a-z]+:|#)/.test(link))
    .filter((link) => {
      const target = decodeURIComponent(link.split('#')[0] ?? '')
      return !existsSync(path.join(ROOT, path.dirname(file), target))
    })
    .map((link) => `${file}: ${link}`)
}

function read(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8')
}
