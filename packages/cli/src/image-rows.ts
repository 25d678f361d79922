import { type Digest, shortDigest } from '@katman/oci'
import type { ImageRow } from '@katman/store'
import { formatAge } from './terminal/age.ts'
import type { RowField } from './terminal/format-rows.ts'
import { formatGoTime } from './terminal/go-time.ts'
import { formatSize } from './terminal/size.ts'

type ImageField =
  | 'Repository'
  | 'Tag'
  | 'Digest'
  | 'ID'
  | 'CreatedSince'
  | 'CreatedAt'
  | 'Size'
  | 'Containers'
  | 'SharedSize'
  | 'UniqueSize'
  | 'VirtualSize'

/** The fields of docker's image list. */
export function imageRowFields(options: {
  readonly noTrunc: boolean
  readonly now: Date
}): Readonly<Record<ImageField, RowField<ImageRow>>> {
  const { noTrunc, now } = options
  return {
    Repository: { header: 'REPOSITORY', value: (row) => row.repository },
    Tag: { header: 'TAG', value: (row) => row.tag },
    Digest: { header: 'DIGEST', value: (row) => row.digest },
    ID: { header: 'IMAGE ID', value: (row) => shortId(row.image.id, noTrunc) },
    CreatedSince: { header: 'CREATED', value: (row) => ago(row.image.created, now) },
    CreatedAt: { header: 'CREATED AT', value: (row) => formatGoTime(row.image.created) },
    Size: { header: 'SIZE', value: (row) => formatSize(row.image.sizeBytes, 3) },
    Containers: { header: 'CONTAINERS', value: () => 'N/A' },
    SharedSize: { header: 'SHARED SIZE', value: () => 'N/A' },
    UniqueSize: { header: 'UNIQUE SIZE', value: () => 'N/A' },
    VirtualSize: { header: 'VIRTUAL SIZE', value: (row) => formatSize(row.image.sizeBytes) },
  }
}

/** 12 hex characters, or the whole id. */
export function shortId(id: Digest, noTrunc: boolean): string {
  return noTrunc ? id : shortDigest(id)
}

/** `2 weeks ago`; `N/A` for images without a time. */
export function ago(created: Date, now: Date): string {
  return created.getTime() === 0 ? 'N/A' : `${formatAge(now.getTime() - created.getTime())} ago`
}
