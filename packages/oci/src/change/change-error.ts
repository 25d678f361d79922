import { KatmanError } from '../error.ts'

/** The error for a change that cannot be made; the messages are docker's. */
export function changeInvalid(message: string): KatmanError {
  return new KatmanError('CHANGE_INVALID', message)
}
