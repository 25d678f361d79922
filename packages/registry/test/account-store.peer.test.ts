import { accountStoreSuite } from './account-store-suite.ts'
import { describePostgres } from './databases.ts'

describePostgres('accounts', (open) => {
  accountStoreSuite('PostgreSQL', open)
})
