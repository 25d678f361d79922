import type { Context } from '../context.ts'
import { CommandFailure } from '../failure.ts'
import { escapeTerminal } from '../terminal/escape.ts'
import { formatSize } from '../terminal/size.ts'
import { type AdminApi, cell, type Document, withAdminApi } from './admin-api.ts'
import { type ListFlags, printList } from './print-list.ts'

/** `registry gc HOST` */
export async function collect(
  context: Context,
  { status }: { readonly status: boolean },
  [host = '']: readonly string[],
): Promise<void> {
  const answer = await withAdminApi(context, host, (api) => api.ask(status ? 'GET' : 'POST', 'gc'))
  const keys = status ? statusKeys : countKeys
  const lines = Object.entries(keys).map(([key, text]) => {
    const value = Number(answer[key] ?? 0)
    return `${text}: ${key.endsWith('Bytes') ? formatSize(value) : value}\n`
  })
  context.stdout.write(lines.join(''))
}

const countKeys = {
  reviewed: 'Looked at',
  manifests: 'Manifests removed',
  links: 'Blobs let go by a repository',
  blobs: 'Blobs removed',
  freedBytes: 'Freed',
  objects: 'Objects deleted',
  uploads: 'Uploads given up',
  purged: 'Deleted manifests gone for good',
  failed: 'Put off after a failure',
}

const statusKeys = {
  reviewsDue: 'To look at now',
  reviewsWaiting: 'To look at later',
  condemnedBlobs: 'Condemned blobs',
  condemnedBytes: 'Condemned',
  objectsToDelete: 'Objects to delete',
  deletedManifests: 'Deleted manifests that can come back',
}

/** `registry quota ls HOST` */
export async function listQuotas(
  context: Context,
  flags: ListFlags,
  [host = '']: readonly string[],
): Promise<void> {
  const rows = await withAdminApi(context, host, (api) => api.list('quotas', 'namespaces'))
  const quotaOf = ({ quota }: Document): string =>
    typeof quota === 'number' ? formatSize(quota) : 'none'
  await printList(context, {
    flags,
    rows,
    fields: {
      Namespace: { header: 'NAMESPACE', value: (row) => cell(row['namespace']) },
      Used: { header: 'USED', value: (row) => formatSize(Number(row['bytes'] ?? 0)) },
      Quota: { header: 'QUOTA', value: quotaOf },
    },
    defaultTable: ['Namespace', 'Used', 'Quota'],
    quiet: 'Namespace',
    typeName: '*registry.quotaContext',
  })
}

/** `registry quota set HOST NAMESPACE SIZE` */
export async function setQuota(
  context: Context,
  _flags: object,
  [host = '', namespace = '', size = '']: readonly string[],
): Promise<void> {
  const path = `quotas/${encodeURIComponent(namespace)}`
  if (size === 'none') await withAdminApi(context, host, (api) => api.ask('DELETE', path))
  else {
    const bytes = readSize(size)
    await withAdminApi(context, host, (api) => api.ask('PUT', path, { bytes }))
  }
  context.stdout.write(`${namespace}\n`)
}

/** `registry quota check HOST` */
export async function checkQuotas(
  context: Context,
  _flags: object,
  [host = '']: readonly string[],
): Promise<void> {
  const { wrong, corrected } = await withAdminApi(context, host, (api) => api.ask('POST', 'quotas'))
  context.stdout.write(`Wrong counters: ${cell(wrong)}, corrected: ${cell(corrected)}\n`)
}

/** `registry immutable ls HOST` */
export async function listImmutable(
  context: Context,
  flags: ListFlags,
  [host = '']: readonly string[],
): Promise<void> {
  const rows = await withAdminApi(context, host, (api) => api.list('immutable-tags', 'rules'))
  await printList(context, {
    flags,
    rows,
    ...patternTable,
    typeName: '*registry.immutableContext',
  })
}

/** `registry immutable add HOST REPOSITORIES TAGS` */
export async function addImmutable(
  context: Context,
  _flags: object,
  [host = '', repositories = '', tags = '*']: readonly string[],
): Promise<void> {
  await withAdminApi(context, host, (api) =>
    api.ask('PUT', 'immutable-tags', { repositories, tags }),
  )
  context.stdout.write(`${repositories} ${tags}\n`)
}

/** `registry immutable rm HOST REPOSITORIES TAGS` */
export async function removeImmutable(
  context: Context,
  _flags: object,
  args: readonly string[],
): Promise<void> {
  await removeRule(context, 'immutable-tags', args)
}

/** `registry retention ls HOST` */
export async function listRetention(
  context: Context,
  flags: ListFlags,
  [host = '']: readonly string[],
): Promise<void> {
  const rows = await withAdminApi(context, host, (api) => api.list('retention', 'policies'))
  await printList(context, {
    flags,
    rows,
    fields: {
      ...patternTable.fields,
      Keep: { header: 'KEEP', value: (row) => JSON.stringify(row['keep']) },
    },
    defaultTable: [...patternTable.defaultTable, 'Keep'],
    quiet: patternTable.quiet,
    typeName: '*registry.retentionContext',
  })
}

interface RetentionFlags {
  readonly newest: number | undefined
  readonly pushedWithin: number | undefined
  readonly pulledWithin: number | undefined
  readonly named: readonly string[]
}

/** `registry retention set HOST REPOSITORIES TAGS` */
export async function setRetention(
  context: Context,
  { newest, pushedWithin, pulledWithin, named }: RetentionFlags,
  [host = '', repositories = '', tags = '*']: readonly string[],
): Promise<void> {
  const keep = [
    ...(newest === undefined ? [] : [{ newest }]),
    ...(pushedWithin === undefined ? [] : [{ pushedWithinDays: pushedWithin }]),
    ...(pulledWithin === undefined ? [] : [{ pulledWithinDays: pulledWithin }]),
    ...named.map((pattern) => ({ named: pattern })),
  ]
  if (keep.length === 0) {
    throw new CommandFailure(
      'say what stays: --newest, --pushed-within, --pulled-within or --named',
    )
  }
  await withAdminApi(context, host, (api) =>
    api.ask('PUT', 'retention', { repositories, tags, keep }),
  )
  context.stdout.write(`${repositories} ${tags}\n`)
}

/** `registry retention rm HOST REPOSITORIES TAGS` */
export async function removeRetention(
  context: Context,
  _flags: object,
  args: readonly string[],
): Promise<void> {
  await removeRule(context, 'retention', args)
}

/** `registry retention run HOST` */
export async function runRetention(
  context: Context,
  { dryRun, ...flags }: ListFlags & { readonly dryRun: boolean },
  [host = '']: readonly string[],
): Promise<void> {
  if (!dryRun) {
    const answer = await withAdminApi(context, host, (api) => api.ask('POST', 'retention/run'))
    context.stdout.write(`Tags deleted: ${cell(answer['deletedTags'])}\n`)
    return
  }
  const rows = await withAdminApi(context, host, (api) => api.list('retention/run', 'tags'))
  await printList(context, {
    flags,
    rows,
    fields: {
      Repository: { header: 'REPOSITORY', value: (row) => cell(row['repository']) },
      Tag: { header: 'TAG', value: (row) => cell(row['tag']) },
      Fate: { header: 'FATE', value: (row) => (row['isKept'] === true ? 'stays' : 'goes') },
      Why: { header: 'WHY', value: (row) => cell(row['why']) },
    },
    defaultTable: ['Repository', 'Tag', 'Fate', 'Why'],
    quiet: 'Tag',
    typeName: '*registry.retentionRunContext',
  })
}

/** `registry deleted HOST/REPOSITORY` */
export async function listDeleted(
  context: Context,
  flags: ListFlags,
  [host = '', repository = '']: readonly string[],
): Promise<void> {
  const rows = await withAdminApi(context, host, (api) =>
    api.list(`deleted/${repository}`, 'manifests'),
  )
  await printList(context, {
    flags,
    rows,
    fields: {
      Digest: { header: 'DIGEST', value: (row) => cell(row['digest']) },
      By: { header: 'DELETED BY', value: (row) => cell(row['actor']) },
      At: { header: 'DELETED', value: (row) => timeOf(row['deletedAt']) },
      Until: { header: 'CAN COME BACK UNTIL', value: (row) => timeOf(row['keepUntil']) },
    },
    defaultTable: ['Digest', 'By', 'At', 'Until'],
    quiet: 'Digest',
    typeName: '*registry.deletedContext',
  })
}

/** `registry undelete HOST REPOSITORY TAG|DIGEST` */
export async function undelete(
  context: Context,
  _flags: object,
  [host = '', repository = '', reference = '']: readonly string[],
): Promise<void> {
  const answer = await withAdminApi(context, host, (api) =>
    api.ask('POST', `deleted/${repository}`, { reference }),
  )
  context.stdout.write(`${cell(answer['digest'])}\n`)
}

/** `registry scrub HOST` */
export async function scrub(
  context: Context,
  { start, ...flags }: ListFlags & { readonly start: boolean },
  [host = '']: readonly string[],
): Promise<void> {
  if (start) {
    const answer = await withAdminApi(context, host, (api) => api.ask('POST', 'scrub'))
    context.stdout.write(`${escapeTerminal(cell(answer['message']))}\n`)
    return
  }
  const rows = await withAdminApi(context, host, (api) => api.list('scrub', 'damaged'))
  await printList(context, {
    flags,
    rows,
    fields: {
      Digest: { header: 'DIGEST', value: (row) => cell(row['digest']) },
      Size: { header: 'SIZE', value: (row) => formatSize(Number(row['size'] ?? 0)) },
      Found: { header: 'FOUND', value: (row) => timeOf(row['foundAt']) },
      Reason: { header: 'REASON', value: (row) => cell(row['reason']) },
    },
    defaultTable: ['Digest', 'Size', 'Found', 'Reason'],
    quiet: 'Digest',
    typeName: '*registry.scrubContext',
  })
}

const patternTable = {
  fields: {
    Repositories: {
      header: 'REPOSITORIES',
      value: (row: Document): string => cell(row['repositories']),
    },
    Tags: { header: 'TAGS', value: (row: Document): string => cell(row['tags']) },
  },
  defaultTable: ['Repositories', 'Tags'],
  quiet: 'Repositories',
} as const

async function removeRule(
  context: Context,
  collection: string,
  [host = '', repositories = '', tags = '*']: readonly string[],
): Promise<void> {
  const query = new URLSearchParams({ repositories, tags })
  const ask = (api: AdminApi): Promise<Document> =>
    api.ask('DELETE', `${collection}?${query.toString()}`)
  await withAdminApi(context, host, ask)
  context.stdout.write(`${repositories} ${tags}\n`)
}

/** `500MB`, `10GB`, `1TB`: decimal, as docker prints sizes. */
function readSize(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,12})(B|kB|MB|GB|TB)?$/.exec(text) ?? []
  const bytes = Number(count) * 1000 ** ['B', 'kB', 'MB', 'GB', 'TB'].indexOf(unit || 'B')
  if (count !== '' && Number.isSafeInteger(bytes)) return bytes
  throw new CommandFailure(`'${text}' is no size: write bytes, or 500MB, 10GB, or none`)
}

function timeOf(value: unknown): string {
  return typeof value === 'number'
    ? new Date(value).toISOString().slice(0, 16).replace('T', ' ')
    : 'never'
}
