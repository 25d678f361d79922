import { cleanupSuite } from '../../test/cleanup-suite.ts'
import { openMemoryDatabase } from '../../test/databases.ts'

cleanupSuite('SQLite', openMemoryDatabase)
