import { describe, expect, it } from 'vitest'
import { renderRows, type RowField } from './format-rows.ts'

interface Row {
  readonly id: string
  readonly repository: string
  readonly tag: string
}

const fields = {
  ID: { header: 'IMAGE ID', value: (row: Row) => row.id },
  Repository: { header: 'REPOSITORY', value: (row: Row) => row.repository },
  Tag: { header: 'TAG', value: (row: Row) => row.tag },
} satisfies Record<string, RowField<Row>>

const rows: readonly Row[] = [
  { id: 'c6348fa86ba0', repository: 'library/busybox', tag: 'latest' },
  { id: 'b88529658aab', repository: 'team/app', tag: '<none>' },
]

function render(format?: string, list = rows, quiet?: 'ID'): Promise<string> {
  return renderRows({
    rows: list,
    fields,
    defaultTable: ['Repository', 'Tag', 'ID'],
    format,
    quiet,
    typeName: '*formatter.imageContext',
  })
}

describe('renderRows', () => {
  const table =
    'REPOSITORY        TAG       IMAGE ID\n' +
    'library/busybox   latest    c6348fa86ba0\n' +
    'team/app          <none>    b88529658aab\n'

  it.each([
    [undefined, table],
    ['', table],
    ['table', table],
    ['{{.Repository}}:{{.Tag}}', 'library/busybox:latest\nteam/app:<none>\n'],
    ['{{.Tag}}\\n{{.ID}}\\t.', 'latest\nc6348fa86ba0\t.\n<none>\nb88529658aab\t.\n'],
    ['prettyjson', 'prettyjson\nprettyjson\n'],
    [
      'table {{.Repository | upper}}\\t{{.Tag}}',
      'REPOSITORY        TAG\nLIBRARY/BUSYBOX   latest\nTEAM/APP          <none>\n',
    ],
    [
      'table {{truncate .ID 3}}\\t{{json .Tag}}\\t{{join (split .Repository "/") "+"}}',
      'IMAGE ID   TAG        REPOSITORY\nc63        "latest"   library+busybox\nb88        "<none>"   team+app\n',
    ],
    [
      'json',
      '{"ID":"c6348fa86ba0","Repository":"library/busybox","Tag":"latest"}\n' +
        '{"ID":"b88529658aab","Repository":"team/app","Tag":"\\u003cnone\\u003e"}\n',
    ],
    [
      '{{json .}}',
      '{"ID":"c6348fa86ba0","Repository":"library/busybox","Tag":"latest"}\n' +
        '{"ID":"b88529658aab","Repository":"team/app","Tag":"\\u003cnone\\u003e"}\n',
    ],
    ['{{json .Tag}}', '"latest"\n"<none>"\n'],
    [
      '{{if eq .Tag "latest"}}one{{else}}other{{end}} {{printf "%-8s|%q" .Tag .ID}} {{len .ID}}',
      'one latest  |"c6348fa86ba0" 12\nother <none>  |"b88529658aab" 12\n',
    ],
  ])('--format %j', async (format, text) => {
    expect(await render(format)).toBe(text)
  })

  it('prints the header alone, and nothing for other formats, when there are no rows', async () => {
    expect(await render(undefined, [])).toBe('REPOSITORY   TAG       IMAGE ID\n')
    expect(await render('json', [])).toBe('')
    expect(await render('{{.ID}}', [])).toBe('')
    expect(await render('table {{.ID}}\\t{{.Nope}}', [])).toBe('IMAGE ID   <no value>\n')
  })

  it('--quiet counts for the plain table only', async () => {
    expect(await render(undefined, rows, 'ID')).toBe('c6348fa86ba0\nb88529658aab\n')
    expect(await render('table', rows, 'ID')).toBe('c6348fa86ba0\nb88529658aab\n')
    expect(await render('{{.Tag}}', rows, 'ID')).toBe('latest\n<none>\n')
    expect(await render('table {{.Tag}}', rows, 'ID')).toBe('TAG\nlatest\n<none>\n')
  })

  it.each([
    ['{{.ID', 'template parsing error: template: :1: unclosed action'],
    ['{{nope .ID}}', 'template parsing error: template: :1: function "nope" not defined'],
    [
      '{{.Nope}}',
      'template parsing error: template: :1:2: executing "" at <.Nope>: can\'t evaluate field Nope in type *formatter.imageContext',
    ],
  ])('refuses %s as docker does', async (format, message) => {
    await expect(render(format)).rejects.toThrow(
      expect.objectContaining({ code: 'TEMPLATE_INVALID', message }),
    )
  })

  it('reports a malformed template even without rows', async () => {
    await expect(render('{{.ID', [])).rejects.toThrow('unclosed action')
  })

  const hostile = [{ id: 'x', repository: 'a\x1b[2J\u202e\nb\tc', tag: '\x9b\u200b' }]
  it.each([
    [
      'table',
      'REPOSITORY             TAG          IMAGE ID\na\\x1b[2J\\u202e\\nb\\tc   \\x9b\\u200b   x\n',
    ],
    ['{{.Repository}}', 'a\\x1b[2J\\u202e\nb\tc\n'],
    ['json', '{"ID":"x","Repository":"a\\u001b[2J\\u202e\\nb\\tc","Tag":"\\u009b\\u200b"}\n'],
  ])('disarms hostile texts with --format %s', async (format, text) => {
    expect(await render(format, hostile)).toBe(text)
  })
})
