import { formatPlatform } from '@katman/oci'
import type { Context } from '../context.ts'
import { hostPlatform } from '../host-platform.ts'
import { renderInspect } from '../render-inspect.ts'
import { escapeTerminal } from '../terminal/escape.ts'
import { formatSize } from '../terminal/size.ts'
import { version } from '../version.ts'

/** `info` */
export async function run(
  context: Context,
  flags: { readonly format: string | undefined },
): Promise<void> {
  await using store = await context.openStore()
  const usage = await store.diskUsage()
  const { env } = context
  const document = {
    Version: version,
    Root: store.root,
    Images: (await store.images()).length,
    Names: (await store.references()).length,
    SizeBytes: usage.total,
    Platform: formatPlatform(hostPlatform()),
    DefaultPlatform: env['DOCKER_DEFAULT_PLATFORM'] ?? '',
    CredentialsFolder: env['DOCKER_CONFIG'] ?? `${env['HOME'] ?? ''}/.docker`,
    InsecureRegistries: ['127.0.0.0/8', '::1', ...configured(env['KATMAN_INSECURE_REGISTRIES'])],
    Proxy: {
      HTTP: withoutPassword(env['HTTP_PROXY'] ?? env['http_proxy']),
      HTTPS: withoutPassword(env['HTTPS_PROXY'] ?? env['https_proxy']),
      No: env['NO_PROXY'] ?? env['no_proxy'] ?? '',
    },
  }
  if (flags.format !== undefined) {
    const { text, failure } = renderInspect(flags.format, [{ document }])
    context.stdout.write(text)
    if (failure !== undefined) throw failure
    return
  }
  const lines = [
    `Version: ${document.Version}`,
    `Store: ${escapeTerminal(document.Root)}`,
    ` Images: ${document.Images}`,
    ` Names: ${document.Names}`,
    ` Size on disk: ${formatSize(document.SizeBytes)}`,
    `Platform: ${document.Platform}`,
    ...(document.DefaultPlatform ? [`Default platform: ${document.DefaultPlatform}`] : []),
    `Credentials: ${document.CredentialsFolder}`,
    'Plain http allowed for:',
    ...document.InsecureRegistries.map((registry) => ` ${registry}`),
    ...(document.Proxy.HTTP ? [`HTTP proxy: ${document.Proxy.HTTP}`] : []),
    ...(document.Proxy.HTTPS ? [`HTTPS proxy: ${document.Proxy.HTTPS}`] : []),
    ...(document.Proxy.No ? [`No proxy for: ${document.Proxy.No}`] : []),
  ]
  context.stdout.write(`${lines.join('\n')}\n`)
}

function configured(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
}

function withoutPassword(address: string | undefined): string {
  // Up to the last @, with or without a scheme: a password may hold any of these characters.
  return (address ?? '').replace(/^(\w+:\/\/)?.*@/, '$1***@')
}
