import { describe, expect, it } from 'vitest'
import { createPartMemory } from './s3-part-memory.ts'

describe('createPartMemory', () => {
  it('lets parts go in the order they came, as many bytes at once as it may, and one of any size', async () => {
    const memory = createPartMemory(10)
    const gone: string[] = []
    const take = (name: string, bytes: number): Promise<void> =>
      memory.take(bytes).then(() => void gone.push(name))
    const first = take('first', 6)
    const second = take('second', 4)
    const huge = take('huge', 100)
    const last = take('last', 1)
    await Promise.all([first, second])
    expect(gone).toEqual(['first', 'second'])
    memory.giveBack(6)
    memory.giveBack(4)
    await huge
    expect(gone).toEqual(['first', 'second', 'huge'])
    memory.giveBack(100)
    await last
    expect(gone).toEqual(['first', 'second', 'huge', 'last'])
  })
})
