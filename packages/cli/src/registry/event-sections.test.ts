import { describe, expect, it } from 'vitest'
import { readYaml, type YamlValue } from '../sync/yaml-reader.ts'
import { readEvents, readHub, readOutbound } from './event-sections.ts'

function yaml(text: string): YamlValue {
  return readYaml(text, 'registry.yml')
}

describe('sections of events, webhooks and pull limits', () => {
  it('are read', () => {
    expect(readOutbound(yaml('allow: [10.0.0.0/8, hooks.internal]'))).toEqual({
      allow: ['10.0.0.0/8', 'hooks.internal'],
    })
    expect(readOutbound(yaml('{webhooks: [hooks.internal], login: [10.0.0.1]}'))).toEqual({
      webhooks: ['hooks.internal'],
      login: ['10.0.0.1'],
    })
    expect(readEvents(yaml('pulls: 0.25'))).toEqual({ pullSample: 0.25 })
    expect(readHub(yaml('limits: {anonymous: 10, account: 100, window: 1h}'))).toEqual({
      limits: { anonymous: 10, account: 100, windowSeconds: 3600 },
    })
    expect([readOutbound(yaml('{}')), readEvents(yaml('{}')), readHub(yaml('{}'))]).toEqual([
      {},
      {},
      {},
    ])
  })

  it('say what is wrong', () => {
    expect(() => readEvents(yaml('pulls: 2'))).toThrow("'2' is no number from 0 to 1")
    expect(() => readHub(yaml('limits: {everybody: 1}'))).toThrow('everybody')
    expect(() => readHub(yaml('limits: {window: 0s}'))).toThrow('a window has a second')
  })
})
