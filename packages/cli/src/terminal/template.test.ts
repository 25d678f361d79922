import { readFileSync } from 'node:fs'
import { assert, constantFrom, array, property, string, oneof } from 'fast-check'
import { isKatmanError } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { compileTemplate, goType, renderTemplate } from './template.ts'

/** What Go's own text/template prints or says, for the values below. */
interface GoResult {
  readonly template: string
  readonly struct?: string
  readonly map?: string
}

const recorded = JSON.parse(
  readFileSync(new URL('../../test/fixtures/go-templates.json', import.meta.url), 'utf8'),
) as readonly GoResult[]

const struct = {
  [goType]: '*main.imageContext',
  S: 'Hello wörld',
  N: 42,
  F: 1.5,
  B: true,
  L: ['a', 'b', 'c'],
  M: new Map([
    ['k', 'v'],
    ['a', '1'],
  ]),
  Cfg: {
    [goType]: '*main.Cfg',
    Cmd: ['x', 'y'],
    Labels: new Map([['maintainer', 'team']]),
    OnBuild: [],
    User: 'u',
  },
  Any: new Map<string, unknown>([
    ['n', null],
    ['s', 'str'],
    ['l', [1, 'two', null, true]],
    ['m', new Map([['q', 1]])],
  ]),
  E: [],
  Z: '',
}
const map = { S: 'Hello wörld', N: 42, Any: { s: 'x' }, L: ['a', 'b'] }

function run(template: string, data: unknown, missingKey: 'default' | 'error'): string {
  try {
    return `OK ${renderTemplate(template, data, { missingKey })}`
  } catch (error) {
    if (!isKatmanError(error, 'TEMPLATE_INVALID')) throw error
    return `${error.details['stage'] === 'parse' ? 'PARSE' : 'EXEC'} ${error.message}`
  }
}

describe('compileTemplate', () => {
  it.each(recorded)('$template does what it does in Go', (result) => {
    if (result.struct !== undefined) {
      expect(run(result.template, struct, 'default')).toBe(result.struct)
    }
    if (result.map !== undefined) expect(run(result.template, map, 'error')).toBe(result.map)
  })

  it('calls methods of structs with arguments', () => {
    const data = { [goType]: '*c', Label: (name: string) => `<${name}>` }
    expect(renderTemplate('{{.Label "x"}} {{"y" | .Label}}', data)).toBe('<x> <y>')
    expect(() => renderTemplate('{{.Label}}', data)).toThrow('want 1 got 0')
  })

  it('names the template in errors', () => {
    expect(() => compileTemplate('{{.Nope', { name: 'version' })).toThrow(
      'template: version:1: unclosed action',
    )
  })

  it('indents json when asked, with Go’s HTML escapes', () => {
    expect(renderTemplate('{{json .}}', { b: '<x>', a: [1, {}] }, { jsonIndent: '  ' })).toBe(
      '{\n  "b": "\\u003cx\\u003e",\n  "a": [\n    1,\n    {}\n  ]\n}',
    )
  })

  it('does not reach what is not the data’s own', () => {
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      expect(renderTemplate(`{{.${name}}}`, {})).toBe('<no value>')
      expect(renderTemplate(`{{index . "${name}"}}`, { a: 1 })).toBe('<no value>')
      expect(() =>
        renderTemplate(`{{.${name}}}`, Object.create(null, { [goType]: { value: 'T' } })),
      ).toThrow("can't evaluate field")
    }
  })

  it.each([
    ['recursion', '{{define "t"}}{{template "t" .}}{{end}}{{template "t" .}}', 'template depth'],
    [
      'mutual recursion',
      '{{define "a"}}{{template "b"}}{{end}}{{define "b"}}{{template "a"}}{{end}}{{template "a"}}',
      'template depth',
    ],
    ['a long loop', '{{range 1000000000}}{{end}}', 'runs too long'],
    [
      'nested loops',
      '{{range 100000}}{{range 100000}}{{range 100000}}x{{end}}{{end}}{{end}}',
      'runs too long',
    ],
    [
      'a doubling text',
      '{{$x := "xxxxxxxx"}}{{range 100}}{{$x = print $x $x}}{{end}}',
      'too much text',
    ],
    [
      'long texts, read again and again',
      '{{$x := "xxxxxxxx"}}{{range 20}}{{$x = print $x $x}}{{end}}{{range 900000}}{{$y := len $x}}{{end}}',
      'runs too long',
    ],
    ['a wide field', '{{range 1000}}{{printf "%999999d" 1}}{{end}}', 'too much text'],
    ['a wide pad', '{{pad "x" 2000000000 0}}', 'Repeat output length overflow'],
    ['deep parentheses', `{{${'('.repeat(5000)}1${')'.repeat(5000)}}}`, 'depth exceeded'],
    ['deep blocks', `${'{{if 1}}'.repeat(500)}${'{{end}}'.repeat(500)}`, 'depth exceeded'],
    ['many digits', `{{${'1'.repeat(60_000)}x}}`, 'bad number syntax'],
    ['many tokens', `{{${'. '.repeat(32_000)}`, 'unclosed action'],
    ['a long template', 'x'.repeat(70_000), 'longer than'],
  ])('stops %s', (_, template, message) => {
    expect(() => renderTemplate(template, {})).toThrow(message)
  })

  it('renders any text or throws TEMPLATE_INVALID', () => {
    const words = constantFrom(
      ...'{{ }} {{- -}} .S .L .Any $x := = | ( ) "a" 1 if else end range with define block'.split(
        ' ',
      ),
      ..."template break index len printf json /* */ ' ` , nil true . %d - and eq".split(' '),
      ' ',
      '\n',
    )
    assert(
      property(array(oneof(words, words, string()), { maxLength: 20 }), (parts) => {
        for (const template of [parts.join(''), `{{${parts.join(' ')}}}`]) {
          expect(run(template, struct, 'default')).toMatch(/^(OK|PARSE|EXEC) /)
        }
      }),
      { numRuns: 500 },
    )
  })
})
