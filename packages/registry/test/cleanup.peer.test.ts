import { cleanupSuite } from './cleanup-suite.ts'
import { describePostgres } from './databases.ts'

describePostgres('clean-up with postgres://', (open) => {
  cleanupSuite('PostgreSQL', open)
})
