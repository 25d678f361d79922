import { describePostgres } from './databases.ts'
import { hubSuite } from './hub-suite.ts'
import { pullLimitsSuite } from './pull-limits-suite.ts'

describePostgres("Docker Hub's API in PostgreSQL", (open) => {
  hubSuite(open)
  pullLimitsSuite(open)
})
