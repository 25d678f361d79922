import { expect } from 'vitest'
import type { Facts } from './facts.ts'

/** What a witness can see: docker, for one, shows no manifest of an index. */
type Seen = 'index' | 'manifest' | 'config' | 'diffIDs'

/** Collects image × route × verdict, to be printed when all is done. */
export interface Verdicts {
  /**
   * Compares what a witness found at the end of a route with what was sent; fails the test when they differ.
   * `seen` is what of the facts can be compared; default all.
   */
  compare(image: string, route: string, sent: Facts, found: Facts, seen?: readonly Seen[]): void
  print(title: string): void
}

export function createVerdicts(): Verdicts {
  const rows: (readonly string[])[] = []
  return {
    compare(image, route, sent, found, seen = ['index', 'manifest', 'config', 'diffIDs']) {
      const wanted = seen.filter((one) => one !== 'index' || sent.isIndex)
      const differing = wanted.filter((one) => partOf(sent, one) !== partOf(found, one))
      const platforms = sent.images.length === 1 ? '1 platform' : `${sent.images.length} platforms`
      const kept = `same ${wanted.join(', ')}`
      const verdict = differing.length === 0 ? kept : `OTHER ${differing.join(', ')}`
      rows.push([image, platforms, route, verdict])
      for (const one of differing) {
        expect(partOf(found, one), `${one} of ${image}, ${route}`).toBe(partOf(sent, one))
      }
    },
    print(title) {
      const widths = [0, 1, 2].map((column) =>
        Math.max(...rows.map((row) => row[column]?.length ?? 0)),
      )
      const lines = rows.map((row) =>
        row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '),
      )
      console.log(`${title}\n${lines.join('\n')}\n`)
    },
  }
}

function partOf({ root, images }: Facts, part: Seen): string {
  if (part === 'index') return root
  return JSON.stringify(images.map((image) => image[part]))
}
