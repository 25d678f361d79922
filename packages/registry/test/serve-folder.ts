import { openFolderStorage, serveRegistry } from '../src/index.ts'

// A registry in a process of its own, for tests that kill it: the folder is the first argument.
const storage = await openFolderStorage(process.argv[2] ?? '')
const { host } = await serveRegistry({ storage })
process.stdout.write(`${host}\n`)
// Ends with the test that started it, however that ends.
process.stdin.on('end', () => process.exit()).resume()
