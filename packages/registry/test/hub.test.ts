import { describe } from 'vitest'
import { openMemoryDatabase } from './databases.ts'
import { hubSuite } from './hub-suite.ts'

describe("Docker Hub's API in SQLite", () => {
  hubSuite(openMemoryDatabase)
})
