import { describe } from 'vitest'
import { openMemoryDatabase } from './databases.ts'
import { eventsSuite } from './events-suite.ts'
import { webhooksSuite } from './webhooks-suite.ts'

describe('events in SQLite', () => {
  eventsSuite(openMemoryDatabase)
  webhooksSuite(openMemoryDatabase)
})
