import { rm } from 'node:fs/promises'
import { describe } from 'vitest'
import { moveSuite } from '../../test/move-suite.ts'
import { makeFolder } from '../../test/support.ts'
import { openRegistryDatabase, openRegistryObjects } from '../open-stores.ts'

describe('moveRegistry', () => {
  moveSuite(async () => {
    const folder = await makeFolder()
    const options = { folder }
    const database = await openRegistryDatabase(options)
    return {
      database,
      objects: await openRegistryObjects(options),
      options,
      async [Symbol.asyncDispose]() {
        await database.close()
        await rm(folder, { recursive: true })
      },
    }
  })
})
