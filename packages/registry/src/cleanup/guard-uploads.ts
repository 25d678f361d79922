import type { Gate } from '../access.ts'
import type { Queries } from '../database/database.ts'
import { readLength, type RegistryRequest } from '../http.ts'
import { namespaceOf } from '../metadata/repositories.ts'
import { parseRoute } from '../route.ts'
import { checkUpload } from './quotas.ts'

/**
 * Refuses bytes that a quota has no room for before they are sent, where the client says how many they are, and otherwise as
 * they come.
 */
export function guardUploads(queries: Queries, gate: Gate): Gate {
  return {
    ...gate,
    admit(request, need) {
      const visitor = gate.admit(request, need)
      const upload = uploadOf(request)
      if (upload === undefined) return visitor
      const namespace = namespaceOf(upload.repository)
      return (async () => {
        const admitted = await visitor
        await checkUpload(queries, namespace, upload.bytes)
        return {
          ...admitted,
          async admitAgain() {
            await admitted.admitAgain?.()
            // What came so far is counted by now.
            await checkUpload(queries, namespace, 0)
          },
        }
      })()
    },
  }
}

function uploadOf(
  request: RegistryRequest,
): { readonly repository: string; readonly bytes: number } | undefined {
  const bytes = readLength(request.header('content-length'))
  if (bytes === 0 || !['POST', 'PUT', 'PATCH'].includes(request.method)) return undefined
  const route = parseRoute(request.path)
  const isUpload = route?.kind === 'uploads' || route?.kind === 'upload'
  return isUpload ? { repository: route.repository, bytes: bytes ?? 0 } : undefined
}
