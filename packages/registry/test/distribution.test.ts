import { openMemoryDatabase } from './databases.ts'
import { distributionSuite } from './distribution-suite.ts'

distributionSuite('SQLite', openMemoryDatabase)
