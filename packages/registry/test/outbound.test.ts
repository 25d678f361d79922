import { describe, expect, it } from 'vitest'
import { openAccountsRegistry } from './accounts.ts'
import { startReceiver } from './receiver.ts'

describe('what may be reached inside the network', () => {
  it('is a matter of what it is for: webhooks do not reach what is allowed for logins', async () => {
    await using receiver = await startReceiver()
    const headers = { 'content-type': 'application/json' }
    for (const [list, state] of [
      ['allow', 'delivered'],
      ['webhooks', 'delivered'],
      ['login', 'failed'],
    ] as const) {
      await using registry = await openAccountsRegistry({
        isOpen: true,
        outbound: { [list]: ['127.0.0.1'] },
      })
      const body = { url: receiver.url }
      const made = await registry.ask('POST', '/api/v1/webhooks', { headers, body })
      const path = `/api/v1/webhooks/${made.document.id}/test`
      const sent = await registry.ask('POST', path, { headers })
      expect([list, sent.document.state]).toEqual([list, state])
    }
  })
})
