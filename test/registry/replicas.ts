import { type PostgresPeer, startPostgres } from '../peers/postgres.ts'
import { type S3Peer, startS3 } from '../peers/s3-servers.ts'
import { type Balancer, startBalancer } from './balancer.ts'
import { type ServedRegistry, serveKatman } from './serve.ts'

/** Several processes of the real program on one PostgreSQL and one bucket, behind a balancer. */
export interface Replicas extends AsyncDisposable {
  /** The balancer: each request goes to the next replica. */
  readonly host: string
  readonly servers: readonly ServedRegistry[]
  readonly balancer: Balancer
  readonly postgres: PostgresPeer
  readonly s3: S3Peer
  readonly database: string
  readonly storage: string
}

interface ReplicaOptions {
  readonly flags?: readonly string[]
  /** Which S3 server; default versitygw. */
  readonly s3?: 'versitygw' | 'minio'
  readonly count?: number
}

export async function startReplicas({
  flags = ['--open'],
  s3: kind = 'versitygw',
  count = 3,
}: ReplicaOptions = {}): Promise<Replicas> {
  await using stack = new AsyncDisposableStack()
  const postgres = stack.use(await startPostgres())
  const s3 = stack.use(await startS3(kind))
  const database = await postgres.createDatabase()
  const storage = await s3.createBucket()
  const places = ['--db', database, '--storage', storage, '--threads', '1']
  // All at once: they also agree on who makes the tables.
  const servers = await Promise.all(
    Array.from({ length: count }, () => serveKatman(() => [...places, ...flags])),
  )
  for (const server of servers) stack.use(server)
  const balancer = stack.use(await startBalancer(servers.map(({ host }) => host)))
  const all = stack.move()
  return {
    host: balancer.host,
    servers,
    balancer,
    postgres,
    s3,
    database,
    storage,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}
