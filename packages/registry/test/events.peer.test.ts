import { describePostgres } from './databases.ts'
import { eventsSuite } from './events-suite.ts'
import { webhooksSuite } from './webhooks-suite.ts'

describePostgres('events in PostgreSQL', (open) => {
  eventsSuite(open)
  webhooksSuite(open)
})
