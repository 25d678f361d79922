import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { codeOf } from '../test/codes.ts'
import { parseImageConfig } from './image-config.ts'

const diffID = `sha256:${'cd'.repeat(32)}`
const config = {
  os: 'linux',
  architecture: 'arm',
  variant: 'v7',
  created: '2026-01-02T03:04:05.6Z',
  author: 'Somebody',
  config: {
    User: '1000:1000',
    Env: ['PATH=/bin', 'EMPTY=', 'NONE'],
    Cmd: ['run'],
    Entrypoint: ['/bin/sh'],
    Labels: { b: '2', a: '1', __proto__x: 'y' },
    ExposedPorts: { '80/tcp': {} },
    Volumes: { '/data': {} },
    WorkingDir: '/app',
    StopSignal: 'SIGTERM',
    StopTimeout: 5,
    Healthcheck: { Test: ['CMD', 'true'], Interval: 30_000_000_000, Retries: 3 },
  },
  rootfs: { type: 'layers', diff_ids: [diffID] },
  history: [
    { created_by: 'COPY . /', created: '2026-01-02T03:04:05Z' },
    { created_by: 'CMD run', empty_layer: true },
  ],
}

const read = (document: unknown) =>
  parseImageConfig(Buffer.from(typeof document === 'string' ? document : JSON.stringify(document)))

describe('parseImageConfig', () => {
  it('reads every field', () => {
    const parsed = read(config)
    expect(parsed.platform).toEqual({ os: 'linux', architecture: 'arm', variant: 'v7' })
    expect(parsed.diffIDs).toEqual([diffID])
    expect(parsed.history.map(({ emptyLayer }) => emptyLayer)).toEqual([false, true])
    expect(parsed).toMatchObject({
      created: '2026-01-02T03:04:05.6Z',
      author: 'Somebody',
      config: {
        user: '1000:1000',
        env: ['PATH=/bin', 'EMPTY=', 'NONE'],
        cmd: ['run'],
        entrypoint: ['/bin/sh'],
        exposedPorts: ['80/tcp'],
        volumes: ['/data'],
        workingDir: '/app',
        stopSignal: 'SIGTERM',
        stopTimeout: 5,
        healthcheck: { test: ['CMD', 'true'], interval: 30_000_000_000, retries: 3 },
      },
    })
    expect({ ...parsed.config.labels }).toEqual({ b: '2', a: '1', __proto__x: 'y' })
  })

  it('reads the least there may be', () => {
    expect(read({ rootfs: { type: 'layers' } })).toMatchObject({
      platform: { os: '', architecture: '' },
      diffIDs: [],
      history: [],
      config: {},
    })
    const nulls = { rootfs: { type: 'layers', diff_ids: null }, history: null, config: null }
    expect(read(nulls)).toMatchObject({ diffIDs: [], history: [], config: {} })
  })

  it.each<[string, unknown]>([
    ['a text', '"x"'],
    ['null', null],
    ['a list', []],
    ['no rootfs', { ...config, rootfs: undefined }],
    ['a rootfs of another type', { ...config, rootfs: { type: 'x', diff_ids: [] } }],
    ['diff_ids that are no list', { ...config, rootfs: { type: 'layers', diff_ids: diffID } }],
    ['a diff_id that is no digest', { ...config, rootfs: { type: 'layers', diff_ids: ['x'] } }],
    ['a diff_id that is a number', { ...config, rootfs: { type: 'layers', diff_ids: [1] } }],
    [
      'a diff_id of md5',
      { ...config, rootfs: { type: 'layers', diff_ids: [`md5:${'a'.repeat(32)}`] } },
    ],
    ['a history that is no list', { ...config, history: {} }],
    ['a step that is null', { ...config, history: [null] }],
    ['an empty_layer in quotes', { ...config, history: [{ empty_layer: 'true' }] }],
    ['Env that is no list', { ...config, config: { Env: 'PATH=/' } }],
    ['Env with a number', { ...config, config: { Env: [1] } }],
    ['Cmd as a text', { ...config, config: { Cmd: 'run' } }],
    ['Labels with a number', { ...config, config: { Labels: { a: 1 } } }],
    ['ExposedPorts that are a list', { ...config, config: { ExposedPorts: ['80/tcp'] } }],
    ['a User that is a number', { ...config, config: { User: 0 } }],
    ['a StopTimeout that is a fraction', { ...config, config: { StopTimeout: 0.5 } }],
    ['keys that differ by case', { ...config, OS: 'linux' }],
    ['keys of config that differ by case', { ...config, config: { Env: [], env: [] } }],
    ['os as a number', { ...config, os: 1 }],
  ])('refuses %s', (_, document) => {
    expect(codeOf(() => read(document))).toBe('CONFIG_INVALID')
  })

  it('throws coded errors only, whatever a field holds', () => {
    const fields = fc.constantFrom('os', 'config', 'rootfs', 'history', 'created', 'variant')
    fc.assert(
      fc.property(fields, fc.jsonValue(), (field, value) => {
        const text = JSON.stringify({ ...config, [field]: value })
        expect([undefined, 'CONFIG_INVALID', 'JSON_INVALID']).toContain(codeOf(() => read(text)))
      }),
      { numRuns: 1000 },
    )
  })
})
