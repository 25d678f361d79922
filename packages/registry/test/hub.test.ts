import { describe } from 'vitest'
import { openMemoryDatabase } from './databases.ts'
import { hubSuite } from './hub-suite.ts'
import { pullLimitsSuite } from './pull-limits-suite.ts'

describe("Docker Hub's API in SQLite", () => {
  hubSuite(openMemoryDatabase)
  pullLimitsSuite(openMemoryDatabase)
})
