import { accountStoreSuite } from './account-store-suite.ts'
import { openMemoryDatabase } from './databases.ts'

accountStoreSuite('memory', openMemoryDatabase)
