import {
  type Clock,
  createHttpTransport,
  createRemote,
  defaultSettings,
  type HttpLimits,
  type HttpTransport,
  type Remote,
  type RemoteOptions,
} from '@katman/remote'

const impatient: Partial<HttpLimits> = {
  connectMs: 200,
  idleMs: 150,
  headersMs: 150,
  commitMs: 150,
  floorSpanMs: 120,
  floorBytesPerSecond: 1024,
}

/** A client whose waits cost nothing, and the bytes of answers that reached it. */
export interface TestClient extends Remote {
  received(): number
}

/** `isImpatient`: limits so short that a busy machine may pass them, too. */
export function openClient({
  isImpatient = false,
  ...options
}: Partial<RemoteOptions> & { readonly isImpatient?: boolean } = {}): TestClient {
  let received = 0
  const transport = createHttpTransport({ limits: isImpatient ? impatient : {} })
  const counting: HttpTransport = {
    async send(request) {
      const response = await transport.send(request)
      return { ...response, body: counted(response.body, (bytes) => (received += bytes)) }
    },
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  }
  const remote = createRemote({
    settings: defaultSettings,
    credentials: { get: async () => undefined },
    userAgent: 'katman-test',
    clock: createClock(),
    transport: counting,
    ...options,
  })
  return { ...remote, received: () => received }
}

async function* counted(
  body: AsyncIterable<Uint8Array>,
  count: (bytes: number) => void,
): AsyncIterable<Uint8Array> {
  for await (const chunk of body) {
    count(chunk.byteLength)
    yield chunk
  }
}

function createClock(): Clock {
  let now = Date.parse('2026-01-01')
  return {
    now: () => now,
    random: () => 0.5,
    async sleep(ms, signal) {
      signal?.throwIfAborted()
      now += ms
    },
  }
}
