import { accepted } from './accepted.ts'
import { normalise } from './normalise.ts'
import type { AcceptedDifference, Outcome, Step } from './step.ts'

/** One thing of one step that is not as docker has it. */
interface Difference {
  readonly step: string
  readonly what: AcceptedDifference['what']
  readonly docker: string
  readonly katman: string
}

/** How one step came out. */
export interface Verdict {
  /** Differences that nobody accepted: faults. */
  readonly unexpected: readonly Difference[]
  /** Accepted differences that are not there: the table must lose them. */
  readonly stale: readonly AcceptedDifference[]
}

/** Compares one step of docker's and Katman's run, after taking out what may differ. */
export function judgeStep(
  step: Step,
  docker: Outcome,
  katman: Outcome,
  table: readonly AcceptedDifference[] = accepted,
): Verdict {
  const differences = listDifferences(step, docker, katman)
  const entries = table.filter((entry) => entry.step === step.id)
  return {
    unexpected: differences.filter(({ what }) => !entries.some((entry) => entry.what === what)),
    stale: entries.filter(({ what }) => !differences.some((one) => one.what === what)),
  }
}

/** Every difference of one step, accepted or not. */
function listDifferences(step: Step, docker: Outcome, katman: Outcome): Difference[] {
  const left = normalise(step, docker)
  const right = normalise(step, katman)
  const pairs: readonly (readonly [AcceptedDifference['what'], string, string])[] = [
    ['stdout', left.stdout, right.stdout],
    ['stderr', left.stderr, right.stderr],
    ['exit code', String(left.exitCode), String(right.exitCode)],
  ]
  return pairs.flatMap(([what, ofDocker, ofKatman]) =>
    ofDocker === ofKatman ? [] : [{ step: step.id, what, docker: ofDocker, katman: ofKatman }],
  )
}
