import { Refusal } from '../refusal.ts'

/** The answer to who tries to log in too often. */
export function tooMany(retryAfterSeconds: number): Refusal {
  return new Refusal(429, 'TOOMANYREQUESTS', 'too many attempts to log in: try again later', {
    headers: { 'retry-after': String(Math.max(1, Math.ceil(retryAfterSeconds))) },
  })
}
