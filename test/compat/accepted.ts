import type { AcceptedDifference } from './step.ts'

/** Every difference from docker that Katman means to have, with the reason. */
export const accepted: readonly AcceptedDifference[] = []
