import { describe, expect, it } from 'vitest'
import { createProgressLines, progressText } from './progress-lines.ts'

function recorder(isTerminal: boolean, columns = 80) {
  const written: string[] = []
  let time = 0
  const lines = createProgressLines({
    write: (text) => void written.push(text),
    isTerminal,
    columns,
    now: () => time,
  })
  return { lines, written, wait: (ms: number) => void (time += ms) }
}

describe('createProgressLines', () => {
  it('prints each change of state once when it is no terminal', () => {
    const { lines, written } = recorder(false)
    lines.update({ id: 'd4e6fd67dcf7', status: 'Pulling fs layer' })
    lines.update({ id: 'd4e6fd67dcf7', status: 'Pulling fs layer' })
    lines.update({ id: 'd4e6fd67dcf7', status: 'Downloading', current: 1, total: 9 })
    lines.update({ id: 'd4e6fd67dcf7', status: 'Verifying Checksum' })
    lines.update({ id: 'd4e6fd67dcf7', status: 'Download complete' })
    lines.update({ id: 'd4e6fd67dcf7', status: 'Extracting', current: 9, total: 9 })
    lines.update({ id: 'd4e6fd67dcf7', status: 'Pull complete' })
    lines.line('Digest: sha256:6096214d2e08')
    lines.finish()
    expect(written.join('')).toBe(
      'd4e6fd67dcf7: Pulling fs layer\n' +
        'd4e6fd67dcf7: Verifying Checksum\n' +
        'd4e6fd67dcf7: Download complete\n' +
        'd4e6fd67dcf7: Pull complete\n' +
        'Digest: sha256:6096214d2e08\n',
    )
  })

  it('keeps every line on one line of a narrow terminal', () => {
    const { lines, written } = recorder(true, 24)
    lines.update({ id: 'd4e6fd67dcf7', status: 'Downloading', current: 5e6, total: 9e6 })
    expect(written.join('')).toBe('\n\x1b[1A\x1b[2K\rd4e6fd67dcf7: Downloadi…\r\x1b[1B')
  })

  it('redraws one line a layer on a terminal', () => {
    const { lines, written } = recorder(true)
    lines.update({ id: 'a', status: 'Pulling fs layer' })
    lines.update({ id: 'b', status: 'Waiting' })
    lines.update({ id: 'a', status: 'Downloading', current: 30_410_000, total: 80_020_000 })
    expect(written).toEqual([
      '\n\x1b[1A\x1b[2K\ra: Pulling fs layer \r\x1b[1B',
      '\n\x1b[1A\x1b[2K\rb: Waiting \r\x1b[1B',
      '\x1b[2A\x1b[2K\ra: Downloading  30.41MB/80.02MB\r\x1b[2B',
    ])
  })

  it('starts new lines below a line of its own', () => {
    const { lines, written } = recorder(true)
    lines.update({ id: 'a', status: 'Waiting' })
    lines.line('Digest: x')
    lines.update({ id: 'a', status: 'Waiting' })
    expect(written.slice(1)).toEqual(['Digest: x\n', '\n\x1b[1A\x1b[2K\ra: Waiting \r\x1b[1B'])
  })

  it('draws byte counts ten times a second at most, the newest of each layer', () => {
    const { lines, written, wait } = recorder(true)
    lines.update({ id: 'a', status: 'Downloading', current: 1, total: 1000 })
    lines.update({ id: 'b', status: 'Downloading', current: 1, total: 1000 })
    written.length = 0
    for (let current = 2; current < 500; current++) {
      lines.update({ id: current % 2 ? 'a' : 'b', status: 'Downloading', current, total: 1000 })
      wait(1)
    }
    expect(written.length).toBeLessThanOrEqual(5)
    written.length = 0
    lines.finish()
    expect(written.join('')).toContain('499B/1kB')
    expect(written.join('')).toContain('498B/1kB')
    lines.finish()
    expect(written).toHaveLength(1)
  })

  it('shows a change of state at once, with what was held back', () => {
    const { lines, written } = recorder(true)
    lines.update({ id: 'a', status: 'Downloading', current: 1, total: 10 })
    lines.update({ id: 'a', status: 'Downloading', current: 9, total: 10 })
    expect(written).toHaveLength(1)
    lines.update({ id: 'a', status: 'Pull complete' })
    expect(written.at(-1)).toBe('\x1b[1A\x1b[2K\ra: Pull complete \r\x1b[1B')
  })

  it.each([true, false])('disarms hostile texts (terminal: %s)', (isTerminal) => {
    const { lines, written } = recorder(isTerminal)
    lines.update({ id: 'a\x1b]0;x\x07', status: 'b\u202e\r\n' })
    lines.line('c\x9b2J\n')
    expect(written.join('')).toContain('a\\x1b]0;x\\x07: b\\u202e\\r\\n')
    expect(written.join('')).toContain('c\\x9b2J\\n\n')
  })
})

describe('progressText', () => {
  it.each([
    [0, 0, 200, ''],
    [0, 100, 110, '      0B/100B'],
    [50, 100, 111, `[${'='.repeat(25)}>${' '.repeat(25)}]      50B/100B`],
    [0, 100, 111, `[>${' '.repeat(50)}]       0B/100B`],
    [100, 100, 111, `[${'='.repeat(50)}>]     100B/100B`],
    [33_280, 2_000_000, 0, ' 33.28kB/2MB'],
    [2_002_000, 2_000_000, 200, `[${'='.repeat(50)}>]  2.002MB`],
    [491_500, 0, 200, ' 491.5kB'],
  ])('%i of %i on %i columns', (current, total, columns, text) => {
    expect(progressText(current, total, columns)).toBe(text)
  })
})
