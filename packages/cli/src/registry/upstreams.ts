import type { Context } from '../context.ts'
import { formatSize } from '../terminal/size.ts'
import { cell, type Document, withAdminApi } from './admin-api.ts'
import { type ListFlags, printList } from './print-list.ts'

/** `registry upstream ls HOST` */
export async function list(
  context: Context,
  flags: ListFlags,
  [host = '']: readonly string[],
): Promise<void> {
  const rows = await withAdminApi(context, host, (api) => api.list('upstreams', 'upstreams'))
  await printList(context, {
    flags,
    rows,
    fields: {
      Registry: { header: 'REGISTRY', value: (row) => cell(row['registry']) },
      Below: { header: 'BELOW', value: (row) => cell(row['prefix']) || '(everything)' },
      URL: { header: 'URL', value: (row) => cell(row['url']) },
      Repositories: { header: 'REPOSITORIES', value: (row) => cell(row['repositories']) },
      Size: { header: 'SIZE', value: (row) => formatSize(Number(row['bytes'] ?? 0)) },
      State: { header: 'STATE', value: stateOf },
    },
    defaultTable: ['Registry', 'Below', 'URL', 'Repositories', 'Size', 'State'],
    quiet: 'Registry',
    typeName: '*registry.upstreamContext',
  })
}

function stateOf({ resting }: Document): string {
  if (typeof resting !== 'object' || resting === null || !('code' in resting)) return 'asked'
  const until = 'until' in resting ? cell(resting.until) : ''
  return `rests until ${until.slice(11, 19)} (${cell(resting.code)})`
}
