import { expect, it } from 'vitest'
import { describePeers } from '../../peers/require-peer.ts'
import { seededRandom } from '../../reliability/random.ts'
import { startKilledServer } from './killed-server.ts'
import { soak } from './soak.ts'

// KATMAN_TEST_CALLS: how many API calls. KATMAN_TEST_SEED: the same choices again.
const calls = Number(process.env['KATMAN_TEST_CALLS'] ?? 200_000)
const seed = Number(process.env['KATMAN_TEST_SEED'] ?? Date.now() % 1_000_000)
const kills = 8

describePeers('A registry under many clients, clean-up every second and kills', [], () => {
  it(
    'loses nothing that a tag leads to and never answers with other bytes',
    { timeout: 1_500_000 },
    async () => {
      console.log(`seed ${seed}`)
      await using server = await startKilledServer()
      let killed = 0
      let restarting = false
      const report = await soak({
        port: server.port,
        calls,
        clients: 32,
        random: seededRandom(seed),
        whenUp: () => server.whenUp(),
        onProgress(done) {
          if (restarting || killed === kills || done < ((killed + 1) * calls) / (kills + 1)) return
          restarting = true
          killed++
          void server.killAndStart().finally(() => {
            restarting = false
          })
        },
      })
      console.log(JSON.stringify({ ...report, killed }))
      expect(report.violations.slice(0, 20)).toEqual([])
      expect(report.calls).toBeGreaterThanOrEqual(calls)
      expect(killed).toBe(kills)
    },
  )
})
