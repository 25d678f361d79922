import { spawn } from 'node:child_process'
import { mediaTypes } from '@katman/oci'

/** One run of a load. */
export interface Load {
  readonly perSecond: number
  readonly p99Ms: number
}

const accept = [mediaTypes.ociManifest, mediaTypes.ociIndex].join(', ')

/** GET as fast as it goes over 64 kept connections, by wrk. Throws on any answer but 200. */
export async function loadByGet(url: string, seconds: number): Promise<Load> {
  const words = ['-t2', '-c64', `-d${seconds}s`, '--latency', '-H', `Accept: ${accept}`, url]
  const text = await output('wrk', words)
  const bad = /Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)/.exec(text)
  if (bad !== null) throw new Error(`wrk ${url}: ${bad[0]}`)
  const p99 = /99%\s+([\d.]+)(us|ms|s)/.exec(text)
  const unit = { us: 0.001, ms: 1, s: 1000 }[p99?.[2] ?? 'ms'] ?? Number.NaN
  return {
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]),
    p99Ms: Number(p99?.[1]) * unit,
  }
}

/** HEAD over 64 kept connections, by ab: wrk waits for the body that a HEAD's length announces. */
export async function loadByHead(url: string, seconds: number): Promise<Load> {
  const words = ['-i', '-k', '-q', '-c', '64', '-t', String(seconds), '-n', '10000000']
  const text = await output('ab', [...words, '-H', `Accept: ${accept}`, url])
  const bad = /Non-2xx responses: +(\d+)|Failed requests: +([1-9]\d*)/.exec(text)
  if (bad !== null) throw new Error(`ab ${url}: ${bad[0]}`)
  return {
    perSecond: Number(/Requests per second:\s+([\d.]+)/.exec(text)?.[1]),
    p99Ms: Number(/ 99%\s+(\d+)/.exec(text)?.[1]),
  }
}

/** Clients that each fetch a blob `times` times over one connection, by curl. MB/s of all together. */
export async function loadByBlobs(
  url: string,
  { clients, times, bytes }: { clients: number; times: number; bytes: number },
): Promise<number> {
  const words = ['-sSf', ...Array.from({ length: times }, () => ['-o', '/dev/null', url]).flat()]
  const start = performance.now()
  await Promise.all(Array.from({ length: clients }, () => output('curl', words)))
  const seconds = (performance.now() - start) / 1000
  return (clients * times * bytes) / 1e6 / seconds
}

/** Clients that each send a file to an upload, by curl. MB/s of all together. */
export async function loadByUploads(
  uploads: readonly { readonly file: string; readonly open: () => Promise<URL> }[],
  bytes: number,
): Promise<number> {
  const start = performance.now()
  await Promise.all(
    uploads.map(async ({ file, open }) => {
      const target = await open()
      const headers = ['-H', 'Expect:', '-H', 'Content-Type: application/octet-stream']
      const status = await output('curl', [
        '-sSf',
        '-o',
        '/dev/null',
        '-w',
        '%{http_code}',
        ...headers,
        '-T',
        file,
        target.href,
      ])
      if (status !== '201') throw new Error(`the upload ended with ${status}`)
    }),
  )
  return (uploads.length * bytes) / 1e6 / ((performance.now() - start) / 1000)
}

async function output(program: string, words: readonly string[]): Promise<string> {
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    errors += part
  })
  const status = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (status !== 0) throw new Error(`${program} ended with ${String(status)}: ${errors}`)
  return text
}
