import { describe, expect, it } from 'vitest'

import { findTestImages } from '../peers/images.ts'
import { accepted } from './accepted.ts'
import { checkKatman } from './check-katman.ts'
import { createCatalog } from './fixtures.ts'
import { compatibilityPage, readCompatibilityPage } from './generate.ts'
import { readRecording } from './recording.ts'
import { startSmallRegistries } from './registries.ts'
import { hasKatman, runKatman } from './run-katman.ts'
import { steps } from './steps.ts'

describe('the table of steps', () => {
  it('names each step once', () => {
    const names = steps.map((step) => step.id)
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
  })

  it('is recorded, step for step', () => {
    expect(readRecording().steps.map((one) => one.id)).toEqual(steps.map((one) => one.id))
  })

  it('has a step for each accepted difference', () => {
    const names = new Set(steps.map((step) => step.id))
    expect(accepted.filter((entry) => !names.has(entry.step))).toEqual([])
  })

  it('is what docs/compatibility.md shows (npx node test/compat/generate.ts --write)', () => {
    expect(readCompatibilityPage()).toBe(compatibilityPage())
  })
})

const layout = findTestImages()
const reason =
  layout === undefined
    ? ' (skipped: no test images, set KATMAN_TEST_IMAGES)'
    : hasKatman()
      ? ''
      : ' (skipped: packages/cli is not there)'

describe.skipIf(reason !== '')(`katman as docker, against the recording${reason}`, () => {
  checkKatman(async () => {
    const catalog = createCatalog(layout ?? '')
    await using registries = await startSmallRegistries(catalog)
    return await runKatman(steps, catalog, registries)
  })
})
