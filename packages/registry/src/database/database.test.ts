import { databaseSuite } from '../../test/database-suite.ts'
import { openMemoryDatabase } from '../../test/databases.ts'

databaseSuite(openMemoryDatabase)
