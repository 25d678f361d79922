import { describe, expect, it } from 'vitest'

import { judgeStep } from './compare.ts'
import { normalise } from './normalise.ts'
import { splitWords } from './step.ts'
import type { Outcome, Step } from './step.ts'

const step: Step = { id: 'one', line: 'images' }
const sorted: Step = { ...step, order: 'sorted' }

function printed(stdout: string, exitCode = 0): Outcome {
  return { id: 'one', line: 'images', stdout, stderr: '', exitCode }
}

describe('normalise', () => {
  it('hides ages of any length, and no other width', () => {
    const table = (age: string, gap: string): string =>
      `REPOSITORY   CREATED${gap}SIZE\nalpine       ${age}   7MB\n`
    const short = normalise(step, printed(table('2 years ago', '       ')))
    const long = normalise(step, printed(table('About a minute ago', '              ')))
    expect(short).toEqual(long)
    const wider = printed('REPOSITORY     CREATED       SIZE\nalpine         2 years ago   7MB\n')
    expect(normalise(step, wider)).not.toEqual(short)
  })

  it('keeps what looks like an age elsewhere', () => {
    expect(normalise(step, printed('2 years ago\n')).stdout).toBe('2 years ago\n')
  })

  it('keeps of the progress the announcement and the end', () => {
    const lines = (...states: string[]): Outcome =>
      printed(states.map((state) => `0123456789ab: ${state}\n`).join(''))
    const full = lines(
      'Pulling fs layer',
      'Waiting',
      'Verifying Checksum',
      'Download complete',
      'Pull complete',
    )
    expect(normalise(step, full)).toEqual(
      normalise(step, lines('Pulling fs layer', 'Download complete', 'Pull complete')),
    )
    expect(normalise(step, full)).not.toEqual(normalise(step, lines('Already exists')))
    expect(normalise(step, full)).not.toEqual(normalise(step, lines('Pulling fs layer')))
  })

  it('leaves out where the engine keeps layers', () => {
    const inspect =
      '        "VirtualSize": 7,\n        "GraphDriver": {\n            "Data": {\n' +
      '                "UpperDir": "/x"\n            },\n            "Name": "overlay2"\n        },\n' +
      '        "RootFS": {\n'
    expect(normalise(step, printed(inspect)).stdout).toBe(
      '        "VirtualSize": 7,\n        "RootFS": {\n',
    )
  })

  it('sorts rows only where the step says so, headers and parts apart', () => {
    expect(normalise(step, printed('b\na\n')).stdout).toBe('b\na\n')
    expect(normalise(sorted, printed('TAG  ID\nb\na\n\nz\ny\n')).stdout).toBe(
      'TAG  ID\na\nb\n\ny\nz\n',
    )
  })
})

describe('judgeStep', () => {
  it('reports differences that nobody accepted, and accepted ones that are gone', () => {
    const table = [{ step: 'one', what: 'stdout', reason: 'our own name' }] as const
    const [docker, katman] = [printed('docker\n'), printed('katman\n')]
    expect(judgeStep(step, docker, katman, []).unexpected).toHaveLength(1)
    expect(judgeStep(step, docker, katman, table)).toEqual({ unexpected: [], stale: [] })
    expect(judgeStep(step, docker, docker, table).stale).toEqual(table)
    expect(judgeStep(step, docker, printed('katman\n', 1), table).unexpected).toEqual([
      { step: 'one', what: 'exit code', docker: '0', katman: '1' },
    ])
  })
})

describe('splitWords', () => {
  it('groups single quotes and nothing else', () => {
    expect(splitWords("images -f '{{.ID}} \"x\"' ''")).toEqual(['images', '-f', '{{.ID}} "x"', ''])
    expect(splitWords('')).toEqual([])
    expect(() => splitWords("a 'b")).toThrow('quote')
  })
})
