import type { RegistryOptions } from '@katman/registry'
import { each } from '../sync/read-choice.ts'
import type { YamlValue } from '../sync/yaml-reader.ts'
import { readSeconds } from './yaml-units.ts'

/** `outbound:` what may be reached inside the network, when somebody names it for a webhook or a login. */
export function readOutbound(value: YamlValue): NonNullable<RegistryOptions['outbound']> {
  const { allow, login, webhooks } = value.fields(['allow', 'login', 'webhooks'])
  const read = (list: YamlValue): readonly string[] => each(list, (item) => item.text())
  return {
    ...(allow === undefined ? {} : { allow: read(allow) }),
    ...(login === undefined ? {} : { login: read(login) }),
    ...(webhooks === undefined ? {} : { webhooks: read(webhooks) }),
  }
}

/** `events:` which part of the pulls are events: `pulls: 0.01`. */
export function readEvents(value: YamlValue): NonNullable<RegistryOptions['events']> {
  const { pulls } = value.fields(['pulls'])
  if (pulls === undefined) return {}
  const part = Number(pulls.text())
  if (part >= 0 && part <= 1) return { pullSample: part }
  throw pulls.fail(`'${pulls.text()}' is no number from 0 to 1`)
}

/** `hub:` how much may be pulled in a window of time. */
export function readHub(value: YamlValue): NonNullable<RegistryOptions['hub']> {
  const { limits } = value.fields(['limits'])
  if (limits === undefined) return {}
  const { anonymous, account, window } = limits.fields(['anonymous', 'account', 'window'])
  const windowSeconds = window && readSeconds(window)
  if (window !== undefined && (windowSeconds ?? 0) < 1) throw window.fail('a window has a second')
  return {
    limits: {
      ...(anonymous === undefined ? {} : { anonymous: anonymous.count() }),
      ...(account === undefined ? {} : { account: account.count() }),
      ...(windowSeconds === undefined ? {} : { windowSeconds }),
    },
  }
}
