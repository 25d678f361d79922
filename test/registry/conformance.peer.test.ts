import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, it } from 'vitest'
import { describePeers } from '../peers/require-peer.ts'
import { formatResults, runConformance } from './conformance.ts'
import { deployments } from './deployments.ts'

const recorded = path.resolve(import.meta.dirname, '../../docs/conformance')

for (const { name, title, peers, start } of deployments) {
  describePeers(`The OCI conformance suite on ${title}`, ['oci-conformance', ...peers], () => {
    it('passes in every test, with nothing skipped and nothing disabled', async () => {
      await using registry = await start()
      const sheet = await runConformance(registry)
      console.log(`${name}\n${sheet.text}`)
      expect(sheet.tests.filter(({ status }) => status !== 'passed')).toEqual([])
      expect(sheet.notPassed).toEqual([])
      // 28 kinds of requests and 24 kinds of data, and the line of the whole.
      expect(sheet.text.match(/: +Pass$/gm)).toHaveLength(28 + 24 + 1)
      for (const [file, text] of Object.entries(formatResults(sheet))) {
        const shown = await readFile(path.join(recorded, name, file), 'utf8')
        expect(text, `docs/conformance/${name}/${file}`).toBe(shown)
      }
    })
  })
}
