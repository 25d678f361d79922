import { describe, expect, it } from 'vitest'
import { FailedLogins } from './failed-logins.ts'

describe('failed logins', () => {
  it('are counted for the /64 of an IPv6 address, however it is written, and for each IPv4 address', () => {
    const failed = new FailedLogins(1)
    const waits = (client: string): boolean => failed.secondsToWait(client, 1) !== undefined
    failed.add('2001:db8::1', 1)
    failed.add('::ffff:192.0.2.1', 1)
    expect(['2001:db8::2', '2001:db8:0:0:9::1', '192.0.2.1'].map(waits)).toEqual([true, true, true])
    // Not of one /64, though all of them begin alike before `::`.
    expect(['2001:db8:0:1::1', '2001:db8::1:0:0:0:1', '192.0.2.2'].map(waits)).toEqual([
      false,
      false,
      false,
    ])
  })
})
