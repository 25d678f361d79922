// Pulls an image into an OCI layout folder, with progress, until Ctrl-C.
// node examples/pull-to-layout.ts alpine:3.20 ./alpine
import { connect, copyContent, openOciLayout, parseReference, withDefaultTag } from 'katman'

const [name = 'alpine:3.20', folder = './image'] = process.argv.slice(2)
const cancel = new AbortController()
process.once('SIGINT', () => cancel.abort())

const reference = withDefaultTag(parseReference(name))
await using registry = await connect()
const source = registry.repository(reference)
const target = await openOciLayout(folder, { create: true })
const root = await source.resolve(reference.digest ?? reference.tag ?? '', {
  signal: cancel.signal,
})
const { movedBytes } = await copyContent(source, target, root, {
  signal: cancel.signal,
  onEvent: (event) => event.type === 'copied' && console.log('copied', event.descriptor.digest),
})
await target.tag(reference.tag ?? 'latest', root)
console.log(`${name}: ${root.digest}, ${movedBytes} bytes moved`)
