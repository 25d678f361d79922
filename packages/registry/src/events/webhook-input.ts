import { isNamespaceName } from '../accounts/names.ts'
import { isPattern } from '../accounts/pattern.ts'
import type { RegistryRequest } from '../http.ts'
import { invalid, readJsonFields } from '../json-fields.ts'
import { eventTypes, fullType } from './event.ts'
import { isSecret } from './sign-webhook.ts'

/** What a request says about a webhook. */
export interface WebhookInput {
  readonly namespace: string | undefined
  readonly repositories: string | undefined
  readonly types: readonly string[] | undefined
  readonly url: string | undefined
  readonly secret: string | undefined
  readonly isEnabled: boolean | undefined
}

const keys = ['namespace', 'repositories', 'types', 'url', 'secret', 'is_enabled'] as const
const limitBytes = 32 * 1024

/** @throws Refusal that names what is wrong. */
export async function readWebhookInput(request: RegistryRequest): Promise<WebhookInput> {
  const fields = await readJsonFields(request, { keys, limitBytes })
  const namespace = fields.string('namespace', 255)
  if (namespace !== undefined && namespace !== '' && !isNamespaceName(namespace)) {
    throw invalid('namespace is no name of a namespace')
  }
  const repositories = fields.string('repositories', 255)
  if (repositories !== undefined && !isPattern(repositories)) {
    throw invalid('repositories is no pattern: write team/app, team/* or **')
  }
  const types = fields.strings('types', eventTypes.length)?.map(fullType)
  const unknown = types?.find((type) => !eventTypes.some((known) => known === type))
  if (unknown !== undefined) throw invalid(`types are some of ${eventTypes.join(', ')}`)
  const secret = fields.string('secret', 100)
  if (secret !== undefined && !isSecret(secret)) {
    throw invalid('secret is not whsec_ and 24 to 64 bytes in base64')
  }
  const url = fields.string('url', 2000)
  if (url !== undefined) checkUrl(url)
  return { namespace, repositories, types, url, secret, isEnabled: fields.boolean('is_enabled') }
}

function checkUrl(text: string): void {
  const url = URL.parse(text)
  const isWeb = url?.protocol === 'https:' || url?.protocol === 'http:'
  if (url === null || !isWeb) throw invalid('url is no address of http or https')
  if (url.username !== '' || url.password !== '') {
    throw invalid('url has a user: messages are signed instead')
  }
}
