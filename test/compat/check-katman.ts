import { beforeAll, expect, it } from 'vitest'

import { judgeStep } from './compare.ts'
import { readRecording } from './recording.ts'
import { steps } from './steps.ts'
import type { Outcome } from './step.ts'

/** Declares one test a step: Katman's answer is docker's recorded one, but for the accepted differences. */
export function checkKatman(run: () => Promise<readonly Outcome[]>): void {
  const recorded = new Map(readRecording().steps.map((outcome) => [outcome.id, outcome]))
  const answers = new Map<string, Outcome>()
  beforeAll(async () => {
    for (const outcome of await run()) answers.set(outcome.id, outcome)
  }, 900_000)

  it.each(steps)('$id', (step) => {
    const docker = recorded.get(step.id)
    const katman = answers.get(step.id)
    if (docker === undefined) throw new Error('not recorded: run test/compat/record.ts')
    if (katman === undefined) throw new Error('Katman did not run this step')
    const { unexpected, stale } = judgeStep(step, docker, katman)
    for (const one of unexpected) expect.soft(one.katman, one.what).toBe(one.docker)
    expect(stale, 'accepted differences that are gone').toEqual([])
  })
}
