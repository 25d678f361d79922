import { describePostgres } from './databases.ts'
import { distributionSuite } from './distribution-suite.ts'

describePostgres('the distribution API', (open) => distributionSuite('PostgreSQL', open))
