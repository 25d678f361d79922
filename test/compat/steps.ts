import { archiveSteps } from './steps/archive.ts'
import { imagesSteps } from './steps/images.ts'
import { inspectSteps } from './steps/inspect.ts'
import { loginSteps } from './steps/login.ts'
import { manifestSteps } from './steps/manifest.ts'
import { manifestListSteps } from './steps/manifest-list.ts'
import { moveSteps } from './steps/move.ts'
import { pullSteps } from './steps/pull.ts'
import { pushSteps } from './steps/push.ts'
import { removeSteps } from './steps/remove.ts'
import { searchSteps } from './steps/search.ts'
import { usageSteps } from './steps/usage.ts'
import type { Step } from './step.ts'

/** The comparison, in the order it runs: every part starts with the images that the parts before it left. */
export const steps: readonly Step[] = [
  ...pullSteps,
  ...imagesSteps,
  ...inspectSteps,
  ...manifestSteps,
  ...manifestListSteps,
  ...moveSteps,
  ...pushSteps,
  ...archiveSteps,
  ...removeSteps,
  ...loginSteps,
  ...searchSteps,
  ...usageSteps,
]
