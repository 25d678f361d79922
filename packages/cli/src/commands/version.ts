import type { Context } from '../context.ts'
import { CommandFailure, dockerText } from '../failure.ts'
import { hostPlatform } from '../host-platform.ts'
import { inspectTemplate } from '../render-inspect.ts'
import { goJson } from '../terminal/go-json.ts'
import { goType } from '../terminal/template.ts'
import { version } from '../version.ts'

/** `version` */
export async function run(
  context: Context,
  flags: { readonly format: string | undefined },
): Promise<void> {
  const client = {
    Version: version,
    Node: process.versions.node,
    Os: process.platform,
    Arch: hostPlatform().architecture,
  }
  if (flags.format === undefined) {
    const lines = [
      'Client: Katman',
      ` Version:  ${client.Version}`,
      ` Node:     ${client.Node}`,
      ` OS/Arch:  ${client.Os}/${client.Arch}`,
    ]
    context.stdout.write(`${lines.join('\n')}\n`)
    return
  }
  if (flags.format === 'json') {
    context.stdout.write(`${goJson({ Client: client })}\n`)
    return
  }
  const template = inspectTemplate(flags.format, 'version')
  try {
    context.stdout.write(`${template({ [goType]: 'system.versionInfo', Client: client })}\n`)
  } catch (error) {
    context.stdout.write('\n')
    throw new CommandFailure(dockerText(error), { cause: error })
  }
}
