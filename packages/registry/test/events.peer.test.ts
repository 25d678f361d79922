import { describePostgres } from './databases.ts'
import { eventsSuite } from './events-suite.ts'

describePostgres('events in PostgreSQL', (open) => {
  eventsSuite(open)
})
