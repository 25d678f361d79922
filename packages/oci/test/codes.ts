import { isKatmanError } from '../src/error.ts'

/** The code of the error that `action` throws; undefined when there is none. Other errors pass through. */
export function codeOf(action: () => unknown): string | undefined {
  try {
    action()
    return undefined
  } catch (error) {
    if (isKatmanError(error)) return error.code
    throw error
  }
}
