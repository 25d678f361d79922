import { createHmac, randomBytes } from 'node:crypto'

const prefix = 'whsec_'
const secretBytes = 32

export function createSecret(): string {
  return prefix + randomBytes(secretBytes).toString('base64')
}

/** True for `whsec_` and 24 to 64 bytes in base64 (Standard Webhooks, "Signature scheme"). */
export function isSecret(text: string): boolean {
  if (!text.startsWith(prefix) || text.length > 100) return false
  const key = Buffer.from(text.slice(prefix.length), 'base64')
  return (
    key.byteLength >= 24 &&
    key.byteLength <= 64 &&
    key.toString('base64').replace(/=+$/, '') === text.slice(prefix.length).replace(/=+$/, '')
  )
}

/**
 * The headers by which a receiver knows that the message is ours and new (Standard Webhooks): id, time in seconds, and the
 * HMAC-SHA256 of `ID.TIME.BODY`.
 */
export function signWebhook(
  secret: string,
  message: { readonly id: string; readonly body: string; readonly now: number },
): Readonly<Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string>> {
  const { id, body, now } = message
  const seconds = Math.floor(now / 1000)
  const mac = createHmac('sha256', Buffer.from(secret.slice(prefix.length), 'base64'))
    .update(`${id}.${seconds}.${body}`)
    .digest('base64')
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': `v1,${mac}`,
  }
}
