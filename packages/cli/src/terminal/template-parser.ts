import { parseGoInt } from './go-parse.ts'
import { quoteGo } from './go-quote.ts'
import { unquoteGo } from './go-unquote.ts'
import { templateError } from './template-error.ts'
import { lexTemplate, type Token, type TokenType } from './template-lexer.ts'
import type { Command, Control, Operand, Pipe, Statement } from './template-nodes.ts'

/** A parsed template and the templates it defines. */
export interface ParsedTemplate {
  readonly name: string
  readonly text: string
  readonly main: readonly Statement[]
  readonly defined: ReadonlyMap<string, readonly Statement[]>
}

/** Longest template that is read, in UTF-16 units. */
const maxLength = 65_536
/** Deepest nesting of parentheses and blocks: bounds the recursion of the parser and of the execution. */
const maxDepth = 100

/**
 * Parses a Go template. `name` is what errors call it (docker's is empty), `functions` the names that may be called.
 * Throws `TEMPLATE_INVALID` with Go's text.
 */
export function parseTemplate(
  text: string,
  name: string,
  functions: ReadonlySet<string>,
): ParsedTemplate {
  if (text.length > maxLength) {
    throw templateError(`template: ${name}: longer than ${maxLength} characters`, 'parse')
  }
  const parser = createParser(text, name, functions)
  const main = parser.topLevel()
  return { name, text, main, defined: parser.defined }
}

type Ending = { readonly type: 'end' | 'else' }

function createParser(text: string, templateName: string, functions: ReadonlySet<string>) {
  const tokens = lexTemplate(text)
  const waiting: Token[] = []
  const defined = new Map<string, readonly Statement[]>()
  let variables = ['$']
  let rangeDepth = 0
  let depth = 0
  let lastLine = 1
  let actionLine = 0
  let finished: Token | undefined

  function next(): Token {
    const pending = waiting.pop()
    if (pending !== undefined) return pending
    if (finished !== undefined) return finished
    const result = tokens.next()
    if (result.done) throw fail('unexpected EOF')
    lastLine = result.value.line
    if (result.value.type === 'eof' || result.value.type === 'error') finished = result.value
    return result.value
  }
  const back = (token: Token): void => void waiting.push(token)
  function peek(): Token {
    const token = next()
    back(token)
    return token
  }
  function nextWord(): Token {
    let token = next()
    while (token.type === 'space') token = next()
    return token
  }
  function peekWord(): Token {
    const token = nextWord()
    back(token)
    return token
  }

  function fail(message: string) {
    return templateError(`template: ${templateName}:${lastLine}: ${message}`, 'parse')
  }
  function unexpected(token: Token, context: string) {
    if (token.type !== 'error') return fail(`unexpected ${showToken(token)} in ${context}`)
    if (actionLine === 0 || actionLine === token.line) return fail(token.value)
    const started = ` started at ${templateName}:${actionLine}`
    return fail(token.value + (token.value.endsWith(' action') ? started : ` in action${started}`))
  }
  function expect(type: TokenType, context: string): Token {
    const token = nextWord()
    if (token.type !== type) throw unexpected(token, context)
    return token
  }
  function nested<Result>(parse: () => Result): Result {
    if (++depth > maxDepth) throw fail('max expression depth exceeded')
    const result = parse()
    depth--
    return result
  }

  function topLevel(): Statement[] {
    const list: Statement[] = []
    while (peek().type !== 'eof') {
      const token = next()
      const word = token.type === 'left' ? nextWord() : undefined
      if (word?.type === 'keyword' && word.value === 'define') {
        definition()
        continue
      }
      if (word !== undefined) back(word)
      back(token)
      const statement = textOrAction()
      if (isEnding(statement)) throw fail(`unexpected {{${statement.type}}}`)
      list.push(statement)
    }
    return list
  }

  function definition(): void {
    const name = unquoteGo(expect('string', 'define clause').value) ?? ''
    expect('right', 'define clause')
    const kept = variables
    variables = ['$']
    const [list, ending] = itemList()
    if (ending.type !== 'end') throw fail('unexpected {{else}} in define clause')
    variables = kept
    addDefinition(name, list)
  }
  function addDefinition(name: string, list: readonly Statement[]): void {
    const isEmpty = list.every((item) => item.type === 'text' && item.text.trim() === '')
    if (!defined.has(name) || !isEmpty) defined.set(name, list)
  }

  function itemList(): [Statement[], Ending] {
    const list: Statement[] = []
    while (peekWord().type !== 'eof') {
      const statement = textOrAction()
      if (isEnding(statement)) return [list, statement]
      list.push(statement)
    }
    throw fail('unexpected EOF')
  }

  function textOrAction(): Statement | Ending {
    const token = nextWord()
    if (token.type === 'text') return { type: 'text', position: token.position, text: token.value }
    if (token.type !== 'left') throw unexpected(token, 'input')
    actionLine = token.line
    const result = action()
    actionLine = 0
    return result
  }

  function action(): Statement | Ending {
    const token = nextWord()
    if (token.type === 'keyword') {
      switch (token.value) {
        case 'if':
        case 'with':
        case 'range':
          return control(token.value)
        case 'end':
          expect('right', 'end')
          return { type: 'end' }
        case 'else':
          return otherwise()
        case 'template':
          return templateCall()
        case 'block':
          return block()
        case 'break':
        case 'continue':
          return jump(token.value, token.position)
      }
    }
    back(token)
    const { position } = peek()
    return { type: 'action', position, pipe: pipeline('command', 'right') }
  }

  function otherwise(): Ending {
    const token = peekWord()
    const chains = token.type === 'keyword' && (token.value === 'if' || token.value === 'with')
    if (!chains) expect('right', 'else')
    return { type: 'else' }
  }

  function jump(type: 'break' | 'continue', position: number): Statement {
    const token = nextWord()
    if (token.type !== 'right') throw unexpected(token, `{{${type}}}`)
    if (rangeDepth === 0) throw fail(`{{${type}}} outside {{range}}`)
    return { type, position }
  }

  function control(type: Control['type']): Statement {
    return nested(() => {
      const kept = variables.length
      const pipe = pipeline(type, 'right')
      if (type === 'range') rangeDepth++
      const [list, ending] = itemList()
      if (type === 'range') rangeDepth--
      const alternative = ending.type === 'else' ? elseList(type) : undefined
      variables.length = kept
      return { type, position: pipe.position, pipe, list, otherwise: alternative }
    })
  }

  function elseList(type: Control['type']): readonly Statement[] {
    const token = peek()
    if (token.type === 'keyword' && token.value === type && type !== 'range') {
      next()
      return [control(type)]
    }
    const [list, ending] = itemList()
    if (ending.type !== 'end') throw fail('expected end; found {{else}}')
    return list
  }

  function templateCall(): Statement {
    const token = nextWord()
    const name = clauseName(token, 'template clause')
    const after = nextWord()
    let pipe: Pipe | undefined
    if (after.type !== 'right') {
      back(after)
      pipe = pipeline('template clause', 'right')
    }
    return { type: 'template', position: token.position, name, pipe }
  }

  function block(): Statement {
    const token = nextWord()
    const name = clauseName(token, 'block clause')
    const pipe = pipeline('block clause', 'right')
    const kept = variables
    variables = ['$']
    const [list, ending] = nested(itemList)
    if (ending.type !== 'end') throw fail('unexpected {{else}} in block clause')
    variables = kept
    addDefinition(name, list)
    return { type: 'template', position: token.position, name, pipe }
  }

  function clauseName(token: Token, context: string): string {
    const name = token.type === 'string' ? unquoteGo(token.value) : undefined
    if (name === undefined) throw unexpected(token, context)
    return name
  }

  function pipeline(context: string, end: TokenType): Pipe {
    const { position } = peekWord()
    const { declared, isAssignment } = declarations(context)
    const commands: Command[] = []
    for (;;) {
      const token = nextWord()
      if (token.type === end) {
        checkPipeline(commands, context)
        return { type: 'pipe', position, declared, isAssignment, commands }
      }
      if (!startsOperand.has(token.type)) throw unexpected(token, context)
      back(token)
      commands.push(command())
    }
  }

  function declarations(context: string) {
    const declared: string[] = []
    let isAssignment = false
    while (peekWord().type === 'variable') {
      const variable = nextWord()
      const after = next()
      const sign = after.type === 'space' ? peekWord() : after
      if (after.type !== 'space') back(after)
      if (sign.type === 'assign' || sign.type === 'declare') {
        isAssignment = sign.type === 'assign'
        nextWord()
        declared.push(variable.value)
        variables.push(variable.value)
        break
      }
      if (sign.type === 'char' && sign.value === ',') {
        nextWord()
        declared.push(variable.value)
        variables.push(variable.value)
        if (context !== 'range' || declared.length >= 2) {
          throw fail(`too many declarations in ${context}`)
        }
        const following = peekWord().type
        if (following === 'variable' || following === 'right' || following === 'rparen') continue
        throw fail('range can only initialize variables')
      }
      if (after.type === 'space') back(after)
      back(variable)
      break
    }
    return { declared, isAssignment }
  }

  function checkPipeline(commands: readonly Command[], context: string): void {
    if (commands.length === 0) throw fail(`missing value for ${context}`)
    for (const [index, { words }] of commands.entries()) {
      if (index > 0 && constants.has(words[0]?.type ?? '')) {
        throw fail(`non executable command in pipeline stage ${index + 1}`)
      }
    }
  }

  function command(): Command {
    const { position } = peekWord()
    const words: Operand[] = []
    for (;;) {
      peekWord()
      const word = operand()
      if (word !== undefined) words.push(word)
      const token = next()
      if (token.type === 'space') continue
      if (token.type === 'right' || token.type === 'rparen') back(token)
      else if (token.type !== 'pipe') throw unexpected(token, 'operand')
      break
    }
    if (words.length === 0) throw fail('empty command')
    return { type: 'command', position, words }
  }

  function operand(): Operand | undefined {
    const node = term()
    if (node === undefined || peek().type !== 'field') return node
    const { position } = peek()
    const names: string[] = []
    while (peek().type === 'field') names.push(next().value.slice(1))
    switch (node.type) {
      case 'field':
        return { ...node, position, names: [...node.names, ...names] }
      case 'variable':
        return { ...node, position, names }
      case 'bool':
        throw fail(`unexpected . after term ${quoteGo(String(node.value))}`)
      case 'number':
      case 'string':
        throw fail(`unexpected . after term ${quoteGo(node.source)}`)
      case 'dot':
      case 'nil':
        throw fail(`unexpected . after term ${quoteGo(node.type === 'dot' ? '.' : 'nil')}`)
      default:
        return { type: 'chain', position, of: node, names }
    }
  }

  function term(): Operand | undefined {
    const token = nextWord()
    const { position, value } = token
    switch (token.type) {
      case 'identifier':
        if (!functions.has(value)) throw fail(`function ${quoteGo(value)} not defined`)
        return { type: 'identifier', position, name: value }
      case 'dot':
      case 'nil':
        return { type: token.type, position }
      case 'variable':
        if (!variables.includes(value)) throw fail(`undefined variable ${quoteGo(value)}`)
        return { type: 'variable', position, name: value, names: [] }
      case 'field':
        return { type: 'field', position, names: [value.slice(1)] }
      case 'bool':
        return { type: 'bool', position, value: value === 'true' }
      case 'number':
        return { type: 'number', position, source: value, value: numberValue(value) }
      case 'rune': {
        const character = unquoteGo(value)
        if (value === "''") throw fail('invalid syntax')
        if (character === undefined) throw fail(`malformed character constant: ${value}`)
        return { type: 'number', position, source: value, value: character.codePointAt(0) ?? 0 }
      }
      case 'lparen':
        return nested(() => pipeline('parenthesized pipeline', 'rparen'))
      case 'string': {
        const content = unquoteGo(value)
        if (content === undefined) throw fail('invalid syntax')
        return { type: 'string', position, source: value, value: content }
      }
      default:
        back(token)
        return undefined
    }
  }

  function numberValue(source: string): number {
    const integer = parseGoInt(source)
    if (typeof integer === 'number') return integer
    if (/^[+-]?[0-9]+$/.test(source)) throw fail(`integer overflow: ${quoteGo(source)}`)
    const isFloat = /^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/.test(source)
    if (!isFloat || !Number.isFinite(Number(source))) {
      throw fail(`illegal number syntax: ${quoteGo(source)}`)
    }
    return Number(source)
  }

  return { topLevel, defined }
}

const startsOperand = new Set<TokenType>([
  'bool',
  'rune',
  'dot',
  'field',
  'identifier',
  'number',
  'nil',
  'string',
  'variable',
  'lparen',
])

const constants = new Set(['bool', 'dot', 'nil', 'number', 'string'])

function isEnding(node: Statement | Ending): node is Ending {
  return node.type === 'end' || node.type === 'else'
}

function showToken(token: Token): string {
  if (token.type === 'eof') return 'EOF'
  if (['keyword', 'nil', 'dot'].includes(token.type)) return `<${token.value}>`
  return token.value.length > 10 ? `${quoteGo(token.value.slice(0, 10))}...` : quoteGo(token.value)
}
