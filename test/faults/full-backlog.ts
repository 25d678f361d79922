import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

const program = `
const server = require('node:net').createServer()
server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => console.log(server.address().port))
`

/** A port whose connections are neither refused nor taken: a black hole. */
export interface BlackHole extends AsyncDisposable {
  readonly host: string
}

/** The server is stopped and its backlog is full, so the kernel answers nobody any more. */
export async function openBlackHole(): Promise<BlackHole> {
  const child: ChildProcess = spawn(process.execPath, ['-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(child.stdout ?? child, 'data')
  const port = Number(String(line))
  child.kill('SIGSTOP')
  const fillers: Socket[] = []
  // Connections that get through fill the backlog; the first that does not shows that it is full.
  for (;;) {
    const filler = connect({ host: '127.0.0.1', port })
    filler.on('error', () => {})
    fillers.push(filler)
    if (!(await connectsWithin(filler, 100)) || fillers.length > 50) break
  }
  return {
    host: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const filler of fillers) filler.destroy()
      child.kill('SIGKILL')
      await once(child, 'close')
    },
  }
}

function connectsWithin(socket: Socket, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms)
    socket.once('connect', () => {
      clearTimeout(timer)
      resolve(true)
    })
  })
}
