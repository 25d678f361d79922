import { defineFlags } from './terminal/flags.ts'

/** Options that stand before the command. */
export const globalFlags = defineFlags([
  {
    name: 'config',
    type: 'string',
    env: 'DOCKER_CONFIG',
    help: 'Folder of config.json with credentials (default ~/.docker)',
  },
  { name: 'debug', short: 'D', type: 'bool', help: 'Show the chain of causes of an error' },
  { name: 'root', type: 'string', env: 'KATMAN_ROOT', help: 'Folder of the local store' },
  {
    name: 'signature-policy',
    type: 'string',
    env: 'KATMAN_SIGNATURE_POLICY',
    help: 'Policy of what may be pulled\n(default ~/.config/containers/policy.json, /etc/containers/policy.json)',
  },
  { name: 'version', short: 'v', type: 'bool', help: 'Print the version and quit' },
])
