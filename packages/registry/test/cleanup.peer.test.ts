import { expect, it } from 'vitest'
import { runCleanup } from '../src/cleanup/run-cleanup.ts'
import { cleanupSuite } from './cleanup-suite.ts'
import { describePostgres } from './databases.ts'
import { digestOf, imageOf, openModel, type Replica } from './registry-model.ts'

describePostgres('clean-up with postgres://', (open) => {
  cleanupSuite('PostgreSQL', open)

  it('loses nothing and leaves nothing beside clients that push, mount, tag and delete at once', async () => {
    await using model = await openModel(open)
    let isOver = false
    const workers = [1, 2].map(async () => {
      const { cleaner } = model.replica()
      while (!isOver) {
        model.wait(40)
        await runCleanup(cleaner)
      }
    })
    const answers: number[] = []
    await Promise.all(
      [0, 1, 2, 3].map(async (client) => {
        const replica = model.replica()
        for (let round = 0; round < 40; round += 1) {
          answers.push(await act(replica, (client + round * 7) % 5, round))
        }
      }),
    )
    isOver = true
    await Promise.all(workers)
    // Whatever comes together, nobody is told that the registry failed.
    expect(answers.filter((status) => status >= 500)).toEqual([])
    await model.checkReachable()
    await model.checkGarbage()
    await model.checkReachable()
  }, 120_000)
})

/** One thing that a client does, of few images in few repositories, so that they meet. */
async function act({ send }: Replica, what: number, round: number): Promise<number> {
  const repository = `app${round % 2}`
  const text = `layer number ${round % 3}`
  const image = imageOf([text], `image ${round % 4}`)
  const manifest = `${repository}/manifests/${digestOf(image.text)}`
  if (what === 0) return (await send('DELETE', manifest)).status
  if (what === 1) return (await send('DELETE', `${repository}/manifests/t${round % 3}`)).status
  if (what === 2) {
    const from = `app${(round + 1) % 2}`
    const query = `mount=${digestOf(text)}&from=${from}`
    const mounted = await send('POST', `${repository}/blobs/uploads/?${query}`)
    if (mounted.status >= 500) return mounted.status
  } else {
    const path = `${repository}/blobs/uploads/?digest=${digestOf(text)}`
    const uploaded = await send('POST', path, { text })
    if (uploaded.status !== 201) return uploaded.status
  }
  return (await send('PUT', `${repository}/manifests/t${round % 3}`, image)).status
}
