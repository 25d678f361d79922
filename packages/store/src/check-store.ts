import type { CheckOptions, CheckResult } from './check-state.ts'
import type { Store } from './store.ts'

/** {@link Store.check}, as a function. */
export async function checkStore(store: Store, options?: CheckOptions): Promise<CheckResult> {
  return store.check(options)
}
