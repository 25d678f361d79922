import { KatmanError } from '@katman/oci'
import { formatValue } from './go-format.ts'
import { quoteGo } from './go-quote.ts'
import { isGoMap, isStruct, isTrue, mapEntry, sortedEntries, typeName } from './go-value.ts'
import { templateError } from './template-error.ts'
import type { ParameterType, TemplateFunction, TemplateFunctions } from './template-functions.ts'
import { type Command, type Control, type Operand, type Pipe, showNode } from './template-nodes.ts'
import type { Statement } from './template-nodes.ts'
import type { ParsedTemplate } from './template-parser.ts'

export interface RunOptions {
  readonly functions: TemplateFunctions
  /** What a missing key of a map gives: `<no value>` (`default`) or an error. */
  readonly missingKey: 'default' | 'error'
}

/** Statements and commands a run may evaluate, and characters it may make: hostile templates end here. */
const maxSteps = 1_000_000
const maxOutput = 64 * 1024 * 1024
/** Characters all calls together may read: a step over a long text costs more than one. */
const maxRead = 256 * 1024 * 1024
/** Templates within templates. */
const maxCalls = 100

type Node = Statement | Command | Operand
type Signal = 'break' | 'continue' | undefined
/** Stands for "no value piped in", which differs from nil. */
const nothing = Symbol('nothing')

/** Runs a parsed template over a value. Throws `TEMPLATE_INVALID` with Go's text. */
export function runTemplate(template: ParsedTemplate, data: unknown, options: RunOptions): string {
  const output: string[] = []
  let steps = 0
  let size = 0
  let read = 0
  let calls = 0
  let templateName = template.name
  let variables: { readonly name: string; value: unknown }[] = [{ name: '$', value: data }]
  let node: Node = { type: 'text', position: 0, text: '' }

  function fail(message: string): KatmanError {
    const before = template.text.slice(0, node.position)
    const line = before.split('\n').length
    const column = new TextEncoder().encode(before.slice(before.lastIndexOf('\n') + 1)).length
    const place = `${template.name}:${line}:${column}: executing ${quoteGo(templateName)}`
    return templateError(`template: ${place} at <${showNode(node)}>: ${message}`, 'execute')
  }
  function at(current: Node): void {
    node = current
    if (++steps > maxSteps) throw fail('the template runs too long')
  }
  function grow(text: string): string {
    size += text.length
    if (size > maxOutput) throw fail('the template makes too much text')
    return text
  }

  function walkAll(dot: unknown, list: readonly Statement[]): Signal {
    for (const statement of list) {
      const signal = walk(dot, statement)
      if (signal !== undefined) return signal
    }
    return undefined
  }

  function walk(dot: unknown, statement: Statement): Signal {
    at(statement)
    switch (statement.type) {
      case 'text':
        output.push(grow(statement.text))
        return undefined
      case 'action': {
        const value = evaluatePipe(dot, statement.pipe)
        if (statement.pipe.declared.length === 0) print(statement, value)
        return undefined
      }
      case 'if':
      case 'with':
        return walkCondition(dot, statement)
      case 'range':
        return walkRange(dot, statement)
      case 'template':
        return walkTemplate(dot, statement)
      default:
        return statement.type
    }
  }

  function print(statement: Statement, value: unknown): void {
    at(statement)
    if (typeof value === 'function') throw fail(`can't print ${showNode(statement)} of type func`)
    const isNothing = value === undefined || value === null
    output.push(grow(isNothing ? '<no value>' : formatValue(value)))
  }

  function walkCondition(dot: unknown, statement: Control): Signal {
    const mark = variables.length
    const value = evaluatePipe(dot, statement.pipe)
    const signal = isTrue(value)
      ? walkAll(statement.type === 'with' ? value : dot, statement.list)
      : walkAll(dot, statement.otherwise ?? [])
    variables.length = mark
    return signal
  }

  function walkRange(dot: unknown, statement: Control): Signal {
    const mark = variables.length
    const value = evaluatePipe(dot, statement.pipe)
    const inner = variables.length
    const { declared, isAssignment } = statement.pipe
    let isEmpty = true
    for (const [key, element] of iterate(value)) {
      isEmpty = false
      if (isAssignment) {
        if (declared.length > 1) assign(declared[0] ?? '', key)
        const last = declared.at(-1)
        if (last !== undefined) assign(last, element)
      } else {
        const first = variables[mark]
        if (declared.length === 1 && first) first.value = element
        const second = variables[mark + 1]
        if (declared.length === 2 && first && second) {
          first.value = key
          second.value = element
        }
      }
      const signal = walkAll(element, statement.list)
      variables.length = inner
      if (signal === 'break') break
      at(statement)
    }
    const signal = isEmpty ? walkAll(dot, statement.otherwise ?? []) : undefined
    variables.length = mark
    return signal
  }

  function* iterate(value: unknown): Generator<readonly [unknown, unknown]> {
    if (value === null || value === undefined) return
    if (Array.isArray(value)) yield* value.entries()
    else if (isGoMap(value)) yield* sortedEntries(value)
    else if (typeof value === 'number' && Number.isInteger(value)) {
      for (let index = 0; index < value; index++) yield [index, index]
    } else throw fail(`range can't iterate over ${formatValue(value)}`)
  }

  function walkTemplate(dot: unknown, statement: Extract<Statement, { type: 'template' }>): Signal {
    const list = template.defined.get(statement.name)
    if (list === undefined) throw fail(`template ${quoteGo(statement.name)} not defined`)
    if (calls >= maxCalls) throw fail(`exceeded maximum template depth (${maxCalls})`)
    const inner = statement.pipe === undefined ? undefined : evaluatePipe(dot, statement.pipe)
    const kept = { variables, templateName }
    variables = [{ name: '$', value: inner }]
    templateName = statement.name
    calls++
    walkAll(inner, list)
    calls--
    variables = kept.variables
    templateName = kept.templateName
    return undefined
  }

  function assign(name: string, value: unknown): void {
    const variable = variables.findLast((candidate) => candidate.name === name)
    if (variable === undefined) throw fail(`undefined variable: ${name}`)
    variable.value = value
  }

  function evaluatePipe(dot: unknown, pipe: Pipe): unknown {
    at(pipe)
    let value: unknown = nothing
    for (const command of pipe.commands) value = evaluateCommand(dot, command, value)
    for (const name of pipe.declared) {
      if (pipe.isAssignment) assign(name, value)
      else variables.push({ name, value })
    }
    return value
  }

  function evaluateCommand(dot: unknown, command: Command, final: unknown): unknown {
    const [first, ...rest] = command.words
    if (first === undefined) throw fail('empty command')
    switch (first.type) {
      case 'field':
        at(first)
        return evaluateFields(dot, dot, first.names, rest, final)
      case 'chain':
        return evaluateChain(dot, first, rest, final)
      case 'identifier':
        return evaluateFunction(dot, first, command, rest, final)
      case 'pipe':
        refuseArguments(first, rest, final)
        return evaluatePipe(dot, first)
      case 'variable':
        return evaluateVariable(dot, first, rest, final)
      default:
        at(first)
        refuseArguments(first, rest, final)
        if (first.type === 'nil') throw fail('nil is not a command')
        return 'value' in first ? first.value : dot
    }
  }

  function refuseArguments(first: Operand, rest: readonly Operand[], final: unknown): void {
    if (rest.length > 0 || final !== nothing) {
      throw fail(`can't give argument to non-function ${showNode(first)}`)
    }
  }

  function evaluateOperand(dot: unknown, operand: Operand): unknown {
    at(operand)
    switch (operand.type) {
      case 'dot':
        return dot
      case 'nil':
        return null
      case 'field':
        return evaluateFields(dot, dot, operand.names, [], nothing)
      case 'variable':
        return evaluateVariable(dot, operand, [], nothing)
      case 'pipe':
        return evaluatePipe(dot, operand)
      case 'identifier':
        return evaluateFunction(dot, operand, operand, [], nothing)
      case 'chain':
        return evaluateChain(dot, operand, [], nothing)
      default:
        return operand.value
    }
  }

  function evaluateChain(
    dot: unknown,
    chain: Extract<Operand, { type: 'chain' }>,
    rest: readonly Operand[],
    final: unknown,
  ): unknown {
    at(chain)
    return evaluateFields(dot, evaluateOperand(dot, chain.of), chain.names, rest, final)
  }

  function evaluateVariable(
    dot: unknown,
    operand: Extract<Operand, { type: 'variable' }>,
    rest: readonly Operand[],
    final: unknown,
  ): unknown {
    at(operand)
    const variable = variables.findLast((candidate) => candidate.name === operand.name)
    if (variable === undefined) throw fail(`undefined variable: ${operand.name}`)
    if (operand.names.length > 0) {
      return evaluateFields(dot, variable.value, operand.names, rest, final)
    }
    refuseArguments(operand, rest, final)
    return variable.value
  }

  function evaluateFields(
    dot: unknown,
    start: unknown,
    names: readonly string[],
    rest: readonly Operand[],
    final: unknown,
  ): unknown {
    let receiver = start
    let isInterface = false
    for (const [index, name] of names.entries()) {
      const isLast = index === names.length - 1
      const given = isLast ? { dot, rest, final } : { dot, rest: [], final: nothing }
      const next = evaluateField(receiver, name, isInterface, given)
      isInterface = isGoMap(receiver) || Array.isArray(receiver)
      receiver = next
    }
    return receiver
  }

  function evaluateField(
    receiver: unknown,
    name: string,
    isInterface: boolean,
    given: { readonly dot: unknown; readonly rest: readonly Operand[]; readonly final: unknown },
  ): unknown {
    const hasArguments = given.rest.length > 0 || given.final !== nothing
    if (receiver === undefined) {
      if (options.missingKey === 'error') throw fail(`nil data; no entry for key ${quoteGo(name)}`)
      return undefined
    }
    if (receiver === null) {
      if (isInterface) throw fail(`nil pointer evaluating interface {}.${name}`)
      if (options.missingKey === 'error') throw fail(`nil data; no entry for key ${quoteGo(name)}`)
      return undefined
    }
    if (isStruct(receiver) && name in receiver) {
      const field = receiver[name]
      if (typeof field === 'function') return callMethod(receiver, name, field, given)
      if (hasArguments) throw fail(`${name} has arguments but cannot be invoked as function`)
      return field ?? null
    }
    if (isGoMap(receiver)) {
      if (hasArguments) throw fail(`${name} is not a method but has arguments`)
      const entry = mapEntry(receiver, name)
      if (entry !== undefined) return entry.value ?? null
      if (options.missingKey === 'error') throw fail(`map has no entry for key ${quoteGo(name)}`)
      return undefined
    }
    const type = isInterface && !isStruct(receiver) ? 'interface {}' : typeName(receiver)
    throw fail(`can't evaluate field ${name} in type ${type}`)
  }

  function callMethod(
    receiver: unknown,
    name: string,
    method: unknown,
    given: { readonly dot: unknown; readonly rest: readonly Operand[]; readonly final: unknown },
  ): unknown {
    if (typeof method !== 'function') throw fail(`${name} is no method`)
    const values = given.rest.map((operand) => evaluateOperand(given.dot, operand))
    if (given.final !== nothing) values.push(given.final)
    if (values.length !== method.length) {
      throw fail(`wrong number of args for ${name}: want ${method.length} got ${values.length}`)
    }
    return Reflect.apply(method, receiver, values)
  }

  function evaluateFunction(
    dot: unknown,
    operand: Extract<Operand, { type: 'identifier' }>,
    caller: Command | Operand,
    rest: readonly Operand[],
    final: unknown,
  ): unknown {
    at(operand)
    const { name } = operand
    const count = rest.length + (final === nothing ? 0 : 1)
    if (name === 'and' || name === 'or') {
      if (count === 0) throw fail(`wrong number of args for ${name}: want at least 1 got 0`)
      return firstDeciding(dot, name === 'or', rest, final)
    }
    const called = options.functions.get(name)
    if (called === undefined) throw fail(`${quoteGo(name)} is not a defined function`)
    checkCount(called, name, count)
    const values: unknown[] = rest.map((word, index) => {
      return typed(parameterAt(called, index), evaluateOperand(dot, word), word)
    })
    if (final !== nothing) values.push(typed(parameterAt(called, rest.length), final))
    for (const value of values) {
      if (typeof value === 'string') read += value.length
    }
    if (read > maxRead) throw fail('the template runs too long')
    try {
      const result = called.call(...values)
      return typeof result === 'string' ? grow(result) : result
    } catch (error) {
      if (error instanceof KatmanError) throw error
      at(caller)
      const reason = error instanceof Error ? error.message : String(error)
      throw fail(`error calling ${name}: ${reason}`)
    }
  }

  function firstDeciding(
    dot: unknown,
    decides: boolean,
    rest: readonly Operand[],
    final: unknown,
  ): unknown {
    let value: unknown
    for (const word of rest) {
      value = evaluateOperand(dot, word)
      if (isTrue(value) === decides) return value
    }
    return final === nothing ? value : final
  }

  function checkCount(called: TemplateFunction, name: string, count: number): void {
    const fixed = called.parameters.length - (called.isVariadic ? 1 : 0)
    if (called.isVariadic && count < fixed) {
      throw fail(`wrong number of args for ${name}: want at least ${fixed} got ${count}`)
    }
    if (!called.isVariadic && count !== fixed) {
      throw fail(`wrong number of args for ${name}: want ${fixed} got ${count}`)
    }
  }

  function typed(type: ParameterType, value: unknown, word?: Operand): unknown {
    const problem = typeProblem(type, value)
    if (problem === undefined) return value
    if (word !== undefined) node = word
    if (word?.type === 'nil') throw fail(`cannot assign nil to ${problem}`)
    if (word?.type === 'string' || word?.type === 'number' || word?.type === 'bool') {
      if (type === 'strings')
        throw fail(`can't handle ${showNode(word)} for arg of type ${problem}`)
      const wanted = type === 'int' ? 'integer' : problem
      throw fail(`expected ${wanted}; found ${showNode(word)}`)
    }
    if (value === undefined) throw fail(`invalid value; expected ${problem}`)
    const found = value === null ? 'interface {}' : typeName(value)
    throw fail(`wrong type for value; expected ${problem}; got ${found}`)
  }

  walkAll(data, template.main)
  return output.join('')
}

function parameterAt(called: TemplateFunction, index: number): ParameterType {
  return called.parameters[index] ?? called.parameters.at(-1) ?? 'any'
}

/** The Go name of the wanted type when the value is of another. */
function typeProblem(type: ParameterType, value: unknown): string | undefined {
  switch (type) {
    case 'any':
      return undefined
    case 'string':
      return typeof value === 'string' ? undefined : 'string'
    case 'int':
      return Number.isInteger(value) ? undefined : 'int'
    case 'strings':
      return value === null || Array.isArray(value) ? undefined : '[]string'
  }
}
