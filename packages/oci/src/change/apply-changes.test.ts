import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isKatmanError } from '../error.ts'
import { applyChanges } from './apply-changes.ts'

// Every line and its result was seen in docker import (dockerd 20.10.24).

describe('applyChanges', () => {
  it('gives what docker gives for many instructions', () => {
    const changes = [
      'CMD echo hi $HOME',
      'ENV A=1 B="two words" C=$A',
      'ENV PATH /bin:$PATH',
      'EXPOSE 80 90-92/udp',
      'LABEL a=b "c d"="e f"',
      'ONBUILD RUN make',
      'USER bob:$A',
      'VOLUME /data /x',
      'VOLUME ["/y z"]',
      'WORKDIR /a',
      'WORKDIR b',
      'ENTRYPOINT ["/bin/x","y"]',
    ]
    expect(applyChanges(changes)).toEqual({
      user: 'bob:1',
      exposedPorts: ['80/tcp', '90/udp', '91/udp', '92/udp'],
      env: ['A=1', 'B=two words', 'C=', 'PATH=/bin:'],
      cmd: ['/bin/sh', '-c', 'echo hi $HOME'],
      volumes: ['/data', '/x', '/y z'],
      workingDir: '/a/b',
      entrypoint: ['/bin/x', 'y'],
      onBuild: ['RUN make'],
      labels: { a: 'b', 'c d': 'e f' },
    })
  })

  it.each([
    ['CMD', { cmd: ['/bin/sh', '-c'] }],
    ['CMD ["a', { cmd: ['/bin/sh', '-c', '["a'] }],
    ['cmd ["x"]', { cmd: ['x'] }],
    ['CMD []', { cmd: [] }],
    ['ENTRYPOINT a $B', { entrypoint: ['/bin/sh', '-c', 'a $B'] }],
    ['ENV A=$X B=${X:-d}', { env: ['A=', 'B=d'] }],
    ['ENV A B C  D', { env: ['A=B C  D'] }],
    ['ENV A=1\nENV B=${A:+x$A} A=\'$A\' C="\\$A"', { env: ['A=$A', 'B=x1', 'C=$A'] }],
    ['LABEL a=b\nCMD x', { labels: { a: 'b' }, cmd: ['/bin/sh', '-c', 'x'] }],
    ['EXPOSE $P', { exposedPorts: [] }],
    ['USER $X', { user: '' }],
    ['# x\nUSER a\\\nb', { user: 'ab' }],
    ['WORKDIR a/../../b', { workingDir: '/b' }],
    ['HEALTHCHECK NONE', { healthcheck: { test: ['NONE'] } }],
    [
      'HEALTHCHECK --interval=5s --retries=2 CMD curl x',
      { healthcheck: { test: ['CMD-SHELL', 'curl x'], interval: 5_000_000_000, retries: 2 } },
    ],
    [
      'HEALTHCHECK --timeout=1m30.5s CMD ["a", "b"]',
      { healthcheck: { test: ['CMD', 'a', 'b'], timeout: 90_500_000_000 } },
    ],
  ])('takes %j', (change, expected) => {
    expect(applyChanges([change])).toEqual(expected)
  })

  it.each([
    ['RUN x', 'run is not a valid change command'],
    ['STOPSIGNAL SIGKILL', 'stopsignal is not a valid change command'],
    ['foo bar', 'foo is not a valid change command'],
    ['', 'file with no instructions'],
    ['# x', 'file with no instructions'],
    ['ENV', 'ENV requires at least one argument'],
    ['ENV A', 'ENV must have two arguments'],
    ['LABEL a', 'LABEL must have two arguments'],
    [
      'ENV A="b',
      'failed to process "\\"b": unexpected end of statement while looking for matching double-quote',
    ],
    ['EXPOSE x', 'Invalid containerPort: x'],
    ['EXPOSE 70000', 'Invalid containerPort: 70000'],
    ['ONBUILD ONBUILD RUN x', "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
    ['ONBUILD FROM x', "FROM isn't allowed as an ONBUILD trigger"],
    ['WORKDIR', 'WORKDIR requires exactly one argument'],
    ['USER', 'USER requires exactly one argument'],
    ['VOLUME', 'VOLUME requires at least one argument'],
    ['VOLUME []', 'VOLUME requires at least one argument'],
  ])("refuses %j in docker's words", (change, message) => {
    expect(() => applyChanges([change])).toThrow(message)
  })

  it('keeps names of prototypes as plain names', () => {
    const { labels } = applyChanges(['LABEL __proto__=x constructor=y'])
    expect(Object.entries(labels ?? {})).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ])
  })

  it('never fails without a code', () => {
    const word = fc.constantFrom('ENV', 'LABEL', 'EXPOSE', 'VOLUME', 'HEALTHCHECK', 'USER', 'CMD')
    const rest = fc.stringMatching(/^[-=$"'{}:\\[\],a0 \n/]{0,30}$/)
    fc.assert(
      fc.property(word, rest, (name, text) => {
        try {
          applyChanges([`${name} ${text}`])
        } catch (error) {
          expect(isKatmanError(error, 'CHANGE_INVALID')).toBe(true)
        }
      }),
      { numRuns: 2000 },
    )
  })
})
