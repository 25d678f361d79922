import type { Gate } from '../access.ts'
import type { Queries } from '../database/database.ts'
import { readLength, type RegistryRequest } from '../http.ts'
import { namespaceOf } from '../metadata/repositories.ts'
import { parseRoute } from '../route.ts'
import { checkUpload } from './quotas.ts'

/** Refuses bytes that a quota has no room for before they are sent, where the client says how many they are. */
export function guardUploads(queries: Queries, gate: Gate): Gate {
  return {
    ...gate,
    admit(request, need) {
      const visitor = gate.admit(request, need)
      const size = uploadSize(request)
      if (size === undefined) return visitor
      return (async () => {
        const admitted = await visitor
        await checkUpload(queries, namespaceOf(size.repository), size.bytes)
        return admitted
      })()
    },
  }
}

function uploadSize(
  request: RegistryRequest,
): { readonly repository: string; readonly bytes: number } | undefined {
  const bytes = readLength(request.header('content-length')) ?? 0
  if (bytes === 0) return undefined
  const route = parseRoute(request.path)
  const isUpload = route?.kind === 'uploads' || route?.kind === 'upload'
  return isUpload ? { repository: route.repository, bytes } : undefined
}
