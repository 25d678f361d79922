/** The parts of a parsed Go template. `position` is an offset into the template's text. */
export type Statement =
  | { readonly type: 'text'; readonly position: number; readonly text: string }
  | { readonly type: 'action'; readonly position: number; readonly pipe: Pipe }
  | Control
  | {
      readonly type: 'template'
      readonly position: number
      readonly name: string
      readonly pipe: Pipe | undefined
    }
  | { readonly type: 'break' | 'continue'; readonly position: number }

export interface Control {
  readonly type: 'if' | 'with' | 'range'
  readonly position: number
  readonly pipe: Pipe
  readonly list: readonly Statement[]
  readonly otherwise: readonly Statement[] | undefined
}

/** `$x := command | command` */
export interface Pipe {
  readonly type: 'pipe'
  readonly position: number
  readonly declared: readonly string[]
  readonly isAssignment: boolean
  readonly commands: readonly Command[]
}

/** A word and its arguments. */
export interface Command {
  readonly type: 'command'
  readonly position: number
  readonly words: readonly Operand[]
}

export type Operand =
  | Pipe
  | { readonly type: 'dot' | 'nil'; readonly position: number }
  | { readonly type: 'bool'; readonly position: number; readonly value: boolean }
  | {
      readonly type: 'number'
      readonly position: number
      readonly source: string
      readonly value: number
    }
  | {
      readonly type: 'string'
      readonly position: number
      readonly source: string
      readonly value: string
    }
  | { readonly type: 'identifier'; readonly position: number; readonly name: string }
  | { readonly type: 'field'; readonly position: number; readonly names: readonly string[] }
  | {
      readonly type: 'variable'
      readonly position: number
      readonly name: string
      readonly names: readonly string[]
    }
  | {
      readonly type: 'chain'
      readonly position: number
      readonly of: Operand
      readonly names: readonly string[]
    }

/** A part of a template as Go's error messages show it. */
export function showNode(node: Statement | Command | Operand): string {
  switch (node.type) {
    case 'text':
      return node.text
    case 'action':
      return `{{${showNode(node.pipe)}}}`
    case 'if':
    case 'with':
    case 'range':
      return showControl(node)
    case 'template':
      return node.pipe === undefined
        ? `{{template ${JSON.stringify(node.name)}}}`
        : `{{template ${JSON.stringify(node.name)} ${showNode(node.pipe)}}}`
    case 'break':
    case 'continue':
      return `{{${node.type}}}`
    case 'pipe': {
      const sign = node.isAssignment ? '=' : ':='
      const declared = node.declared.length > 0 ? `${node.declared.join(', ')} ${sign} ` : ''
      return declared + node.commands.map(showNode).join(' | ')
    }
    case 'command':
      return node.words.map(showWord).join(' ')
    case 'dot':
      return '.'
    case 'nil':
      return 'nil'
    case 'bool':
      return String(node.value)
    case 'number':
    case 'string':
      return node.source
    case 'identifier':
      return node.name
    case 'field':
      return dotted(node.names)
    case 'variable':
      return node.name + dotted(node.names)
    case 'chain':
      return showWord(node.of) + dotted(node.names)
  }
}

function showWord(word: Operand): string {
  return word.type === 'pipe' ? `(${showNode(word)})` : showNode(word)
}

function dotted(names: readonly string[]): string {
  return names.map((name) => `.${name}`).join('')
}

function showControl(node: Control): string {
  const list = node.list.map(showNode).join('')
  const otherwise =
    node.otherwise === undefined ? '' : `{{else}}${node.otherwise.map(showNode).join('')}`
  return `{{${node.type} ${showNode(node.pipe)}}}${list}${otherwise}{{end}}`
}
