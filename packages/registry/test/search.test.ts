import { describe, expect, it } from 'vitest'
import { addImage, codesOf, startRegistry, storages, type TestRegistry } from './support.ts'

interface Answer {
  readonly num_pages: number
  readonly num_results: number
  readonly results: readonly { readonly name: string }[]
}

async function search(registry: TestRegistry, query: string): Promise<Answer> {
  const response = await fetch(`${registry.url}/v1/search?${query}`)
  expect(response.status).toBe(200)
  return (await response.json()) as Answer
}

describe.each(storages)('search in %s', (kind) => {
  it('finds names that hold the term, the most alike first', async () => {
    await using registry = await startRegistry(kind)
    for (const name of ['tools/my-app', 'apple', 'team/app', 'app', 'other', 'app/x']) {
      await addImage(registry, name, '1', 'x')
    }
    const { results, ...rest } = await search(registry, 'q=APP')
    expect(results.map((one) => one.name)).toEqual([
      'app',
      'team/app',
      'app/x',
      'apple',
      'tools/my-app',
    ])
    expect(rest).toEqual({ num_pages: 1, num_results: 5, page: 1, page_size: 25, query: 'APP' })
    expect(results[0]).toEqual({
      name: 'app',
      description: '',
      star_count: 0,
      is_trusted: false,
      is_automated: false,
      is_official: true,
    })
  })

  it('gives results page by page, and all names for no term', async () => {
    await using registry = await startRegistry(kind)
    for (const name of ['a', 'b', 'c']) await addImage(registry, name, '1', 'x')
    const last = await search(registry, 'n=2&page=2')
    expect(last).toMatchObject({ num_pages: 2, num_results: 3, page: 2, page_size: 2 })
    expect(last.results.map((one) => one.name)).toEqual(['c'])
    expect((await search(registry, 'q=&n=1000')).results).toHaveLength(3)
    expect((await search(registry, 'q=nothing')).results).toEqual([])
    const odd = await fetch(`${registry.url}/v1/search?n=0`)
    expect([odd.status, await codesOf(odd)]).toEqual([400, ['PAGINATION_NUMBER_INVALID']])
  })
})
