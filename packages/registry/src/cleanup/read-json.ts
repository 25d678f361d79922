import * as v from 'valibot'
import type { RegistryRequest } from '../http.ts'
import { readWholeBody } from '../read-body.ts'
import { Refusal } from '../refusal.ts'

const maxBytes = 64 * 1024

/** The body of a request, as the schema wants it. A request without one is an empty object. */
export async function readJson<Schema extends v.GenericSchema>(
  request: RegistryRequest,
  schema: Schema,
): Promise<v.InferOutput<Schema>> {
  const text = (await readWholeBody(request, maxBytes)).toString('utf8')
  return checkInput(schema, text === '' ? {} : parse(text))
}

/** @throws Refusal that names the key. */
export function checkInput<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value)
  if (result.success) return result.output
  const [issue] = result.issues
  const where = v.getDotPath(issue) ?? 'the body'
  throw new Refusal(400, 'UNSUPPORTED', `${where}: ${issue.message}`, { detail: { key: where } })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Refusal(400, 'UNSUPPORTED', 'the body is no JSON')
  }
}
