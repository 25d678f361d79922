import { afterAll, beforeAll } from 'vitest'
import { describePeers } from '../../../test/peers/require-peer.ts'
import { type PostgresPeer, startPostgres } from '../../../test/peers/postgres.ts'
import { type S3Peer, startS3 } from '../../../test/peers/s3-servers.ts'
import { openRegistryDatabase, openRegistryObjects } from '../src/open-stores.ts'
import { moveSuite } from './move-suite.ts'

describePeers('moveRegistry to PostgreSQL and S3', ['postgres', 'versitygw'], () => {
  let postgres: PostgresPeer | undefined
  let s3: S3Peer | undefined
  beforeAll(async () => {
    postgres = await startPostgres()
    s3 = await startS3('versitygw')
  })
  afterAll(async () => {
    await postgres?.[Symbol.asyncDispose]()
    await s3?.[Symbol.asyncDispose]()
  })
  moveSuite(async () => {
    const options = {
      database: (await postgres?.createDatabase()) ?? '',
      storage: (await s3?.createBucket()) ?? '',
    }
    const database = await openRegistryDatabase(options)
    return {
      database,
      objects: await openRegistryObjects(options),
      options,
      [Symbol.asyncDispose]: () => database.close(),
    }
  })
})
