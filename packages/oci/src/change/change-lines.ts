/** One instruction: its name in capitals, and the rest of its line. */
export interface ChangeLine {
  readonly name: string
  readonly rest: string
  /** The whole line. */
  readonly line: string
}

/** Cuts text into instructions as a Dockerfile: comments and empty lines go, a backslash at an end joins two lines. */
export function changeLines(text: string): readonly ChangeLine[] {
  const lines: ChangeLine[] = []
  let open = ''
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*(?:#|$)/.test(line)) continue
    const joined = open + (open === '' ? line.trimStart() : line)
    if (/\\[ \t]*$/.test(joined)) {
      open = joined.replace(/\\[ \t]*$/, '')
      continue
    }
    open = ''
    lines.push(changeLine(joined.trim()))
  }
  if (open.trim() !== '') lines.push(changeLine(open.trim()))
  return lines
}

function changeLine(line: string): ChangeLine {
  const [word = ''] = line.split(/\s/, 1)
  return { name: word.toUpperCase(), rest: line.slice(word.length).trim(), line }
}
