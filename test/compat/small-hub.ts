import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A server that has Docker Hub's search and nothing else. */
export interface SmallHub extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** Every search so far: its query, and the credentials that came with it. */
  readonly searches: readonly Search[]
}

interface Search {
  readonly query: string
  readonly authorization: string | undefined
}

/** What Hub would say of a term; for these it answers otherwise. */
const oddAnswers: Readonly<Record<string, readonly [status: number, body: string]>> = {
  refused: [401, '{"message":"authentication required"}'],
  missing: [404, 'no such page'],
  html: [200, '<html>'],
  empty: [200, ''],
  null: [200, 'null'],
  bare: [200, '{}'],
  nothing: [200, '{"results":[]}'],
}

const results = [
  {
    name: 'alpine',
    description:
      'A minimal Docker image based on Alpine Linux with a complete package index and only 5 MB in size!',
    star_count: 11534,
    is_official: true,
    is_automated: false,
  },
  result('alpinelinux/docker-cli', 14, 'Simple and lightweight\nAlpine Linux image'),
  { ...result('team/built', 90, 'Built by a machine & <signed>'), is_automated: true },
  result('team/exact', 14, '123456789012345678901234567890123456789012345'),
  result('team/longer', 13, '1234567890123456789012345678901234567890123456'),
  result(
    'team/wide',
    0,
    'Türkçe açıklama 日本語の説明 とても長い説明文がここにあります ほんとうに長い',
  ),
  { name: 'team/plain', description: null, star_count: 5 },
]

function result(name: string, starCount: number, description: string): object {
  return { name, description, star_count: starCount, is_official: false, is_automated: false }
}

/** Starts it on loopback. Its one answer is the same for every term. */
export async function startSmallHub(): Promise<SmallHub> {
  const searches: Search[] = []
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://hub')
    if (url.pathname !== '/v1/search') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found')
      return
    }
    searches.push({
      query: url.search.slice(1),
      authorization: request.headers.authorization,
    })
    const [status, body] = oddAnswers[url.searchParams.get('q') ?? ''] ?? [
      200,
      JSON.stringify({ num_pages: 1, num_results: results.length, page: 1, results }),
    ]
    response.writeHead(status, { 'content-type': 'application/json' }).end(body)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  // A TCP server's address is never a text.
  const { port } = server.address() as AddressInfo
  return {
    host: `127.0.0.1:${port}`,
    searches,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}
