import { describePostgres } from './databases.ts'
import { hubSuite } from './hub-suite.ts'

describePostgres("Docker Hub's API in PostgreSQL", (open) => {
  hubSuite(open)
})
