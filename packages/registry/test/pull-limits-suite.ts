import { expect, it } from 'vitest'
import { migrate, type RegistryResponse } from '../src/index.ts'
import { createPullLimits } from '../src/hub/pull-limits.ts'
import { createPullQuota, type PullQuota } from '../src/hub/pull-quota.ts'
import { refusalResponse } from '../src/refusal.ts'
import type { OpenDatabase } from './databases.ts'

interface Asked {
  readonly method?: string
  readonly path?: string
  readonly client?: string
  readonly account?: string
  /** What the registry answers. */
  readonly status?: number
}

/** A registry with nothing behind its limits: 3 pulls for an address, 5 for an account, in an hour. */
function limited(quota: PullQuota): (asked?: Asked) => Promise<RegistryResponse> {
  const limits = createPullLimits({ anonymous: 3, account: 5 }, quota)
  return async (asked = {}) => {
    const { method = 'GET', path = '/v2/app/manifests/1', client = '192.0.2.1', account } = asked
    const gate = limits.guardGate({
      admit: () => ({ account, may: () => true, maySee: () => true }),
    })
    const handle = limits.guardAnswers(async (request) => {
      try {
        await gate.admit(request, { repository: 'app', actions: ['pull'] })
        return { status: asked.status ?? 200 }
      } catch (error) {
        return refusalResponse(error)
      }
    })
    return handle({
      method,
      path,
      client,
      query: new URLSearchParams(),
      header: () => undefined,
      body: (async function* nothing(): AsyncGenerator<Uint8Array> {})(),
    })
  }
}

/** Limits of pulls on a database. */
export function pullLimitsSuite(open: OpenDatabase): void {
  const at = Date.UTC(2026, 0, 1, 12, 30)
  const withQuotas = async (
    run: (quotas: readonly [PullQuota, PullQuota], clock: { now: number }) => Promise<void>,
  ): Promise<void> => {
    await using database = await open()
    await migrate(database)
    const clock = { now: at }
    const quota = (): PullQuota =>
      createPullQuota(database, {
        windowSeconds: 3600,
        now: () => clock.now,
        onFailure: (error) => {
          throw error
        },
      })
    const quotas = [quota(), quota()] as const
    await run(quotas, clock)
    for (const one of quotas) await one.close()
  }

  it("tells how many pulls are left in Docker Hub's headers, and refuses more", async () => {
    await withQuotas(async ([quota], clock) => {
      const ask = limited(quota)
      for (const left of [2, 1, 0]) {
        expect(await ask()).toEqual({
          status: 200,
          headers: {
            'ratelimit-limit': '3;w=3600',
            'ratelimit-remaining': `${left};w=3600`,
            'docker-ratelimit-source': '192.0.2.1',
          },
        })
      }
      const refused = await ask()
      expect(refused).toMatchObject({
        status: 429,
        headers: { 'retry-after': '1800', 'ratelimit-remaining': '0;w=3600' },
      })
      expect(Buffer.from(refused.body as Uint8Array).toString()).toContain('TOOMANYREQUESTS')
      expect((await ask({ client: '192.0.2.2' })).status).toBe(200)
      clock.now += 1_800_000
      expect((await ask()).headers).toMatchObject({ 'ratelimit-remaining': '2;w=3600' })
    })
  })

  it('takes nothing for HEAD, blobs and what fails, and counts an account by itself', async () => {
    await withQuotas(async ([quota]) => {
      const ask = limited(quota)
      await ask({ method: 'HEAD' })
      await ask({ status: 404 })
      await ask({ method: 'PUT' })
      expect((await ask({ path: '/v2/app/blobs/sha256:1' })).headers).toBeUndefined()
      const head = await ask({ method: 'HEAD' })
      expect(head.headers).toMatchObject({ 'ratelimit-remaining': '3;w=3600' })
      const mine = await ask({ account: 'ada' })
      expect(mine.headers).toMatchObject({
        'ratelimit-remaining': '4;w=3600',
        'docker-ratelimit-source': 'ada',
      })
    })
  })

  it('adds up over replicas, and remembers after a restart', async () => {
    await withQuotas(async ([one, two]) => {
      await limited(one)()
      await one.flush()
      expect((await limited(two)()).headers).toMatchObject({ 'ratelimit-remaining': '1;w=3600' })
      await two.flush()
      await limited(one)()
      await one.flush()
      expect((await limited(one)()).status).toBe(429)
    })
  })
}
