import { defineConfig } from 'vitest/config'

// `unit` needs nothing but Node; `peers` compares with real programs (scripts/install-peers.sh).
// Without --project only the unit tests run; KATMAN_PEERS=1 adds the peers.
const withPeers =
  process.env['KATMAN_PEERS'] === '1' ||
  process.argv.some((word) => word === '--project=peers' || word === 'peers')

const unit = {
  test: {
    name: 'unit',
    include: [
      'packages/*/src/**/*.test.ts',
      'packages/*/test/**/*.test.ts',
      'test/**/*.test.ts',
      'scripts/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/*.peer.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
}

const peers = {
  test: {
    name: 'peers',
    include: ['packages/*/test/**/*.peer.test.ts', 'test/**/*.peer.test.ts'],
    exclude: ['**/node_modules/**'],
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
}

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    coverage: { enabled: false },
    projects: withPeers ? [unit, peers] : [unit],
  },
})
