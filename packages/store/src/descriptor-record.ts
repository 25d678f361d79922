import { type Descriptor, isDigest, type Platform } from '@katman/oci'

/** A descriptor as a record of the store has it; undefined when it is none. */
export function descriptorOf(value: unknown): Descriptor | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { mediaType, digest, size, platform } = value as Record<string, unknown>
  if (typeof mediaType !== 'string' || typeof digest !== 'string' || !isDigest(digest)) {
    return undefined
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined
  if (platform !== undefined && platformOf(platform) === undefined) return undefined
  return value as Descriptor
}

export function platformOf(value: unknown): Platform | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { os, architecture, variant } = value as Record<string, unknown>
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined
  if (variant !== undefined && typeof variant !== 'string') return undefined
  return value as Platform
}
