import { writeAudit } from '../accounts/audit-log.ts'
import { makePrivate, setGrant } from '../accounts/grant-store.ts'
import { inLibrary } from '../accounts/pattern.ts'
import type { Visitor } from '../access.ts'
import type { Database } from '../database/database.ts'
import type { RegistryRequest } from '../http.ts'
import { invalid, readJsonFields } from '../json-fields.ts'
import { Refusal } from '../refusal.ts'
import type { FoundRepository } from './find-repository.ts'

/** What Docker Hub allows, too. */
const maxDescription = 100
const maxFullDescription = 25_000
const maxCategories = 3
const limitBytes = 128 * 1024
const badges = ['official', 'verified_publisher', 'open_source', 'none']

/** Clients of Docker Hub name its `registry`, which says nothing here. */
const keys = [
  'description',
  'full_description',
  'categories',
  'is_private',
  'badge',
  'registry',
] as const

export interface Category {
  readonly name: string
  readonly slug: string
}

/**
 * Changes what people read about a repository, and whether everybody may pull from it. Texts are kept as they are, as data: who
 * shows them in a page must treat them as what a stranger wrote.
 *
 * @throws Refusal that names what is wrong.
 */
export async function editRepository(
  database: Database,
  repository: FoundRepository,
  {
    request,
    visitor,
    isOpen,
    now,
  }: {
    readonly request: RegistryRequest
    readonly visitor: Visitor
    /** Whether everybody may do everything anyway. */
    readonly isOpen: boolean
    /** Milliseconds since 1970. */
    readonly now: number
  },
): Promise<void> {
  const fields = await readJsonFields(request, { keys, limitBytes })
  const description = fields.string('description', maxDescription)
  const fullDescription = fields.string('full_description', maxFullDescription)
  const categories = readCategories(fields.value('categories'))
  const isPrivate = fields.boolean('is_private')
  const badge = fields.string('badge', 30)
  if (badge !== undefined && !badges.includes(badge)) {
    throw invalid(`badge is one of ${badges.join(', ')}`)
  }
  if (badge !== undefined && !visitor.may('system')) {
    throw new Refusal(403, 'DENIED', 'only who administers the registry gives badges')
  }
  if (isPrivate !== undefined && visitor.mayGrant === false) {
    throw new Refusal(
      403,
      'DENIED',
      'a robot or a token with fewer rights makes nothing public or private',
    )
  }
  if (isPrivate === true && isOpen) {
    throw invalid('is_private cannot be true: everybody may do everything in this registry')
  }
  await database.transaction(async (transaction) => {
    const before = await transaction.get<Texts>(readTexts, [repository.id])
    await transaction.run(writeTexts, [
      repository.id,
      description ?? before?.description ?? '',
      fullDescription ?? before?.full_description ?? '',
      categories === undefined ? (before?.categories ?? '[]') : JSON.stringify(categories),
      badge ?? before?.badge ?? null,
      now,
    ])
    const name = inLibrary(repository.name)
    if (isPrivate === true) await makePrivate(transaction, name)
    if (isPrivate === false && !isOpen) {
      const grant = { subject: { kind: 'anonymous' }, actions: ['pull'] } as const
      await setGrant(transaction, { ...grant, pattern: name, createdBy: visitor.account }, now)
    }
    await writeAudit(transaction, {
      at: now,
      actor: visitor.account,
      client: request.client,
      action: 'repository.change',
      target: repository.name,
      result: 'done',
      ...(isPrivate === undefined ? {} : { detail: isPrivate ? 'private' : 'public' }),
    })
  })
}

export function parseCategories(text: string): readonly Category[] {
  // Only editRepository() writes it.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return JSON.parse(text) as readonly Category[]
}

/** Names, or objects with a name and a slug, as Docker Hub has them. */
function readCategories(value: unknown): readonly Category[] | undefined {
  if (value === undefined) return undefined
  if (!Array.isArray(value) || value.length > maxCategories) {
    throw invalid(`categories is no list of at most ${maxCategories}`)
  }
  return value.map((given: unknown) => {
    const name = typeof given === 'object' && given !== null ? Reflect.get(given, 'name') : given
    const slug = typeof name === 'string' && name.length <= 60 ? slugOf(name) : ''
    if (typeof name !== 'string' || slug === '') {
      throw invalid('a category has a name of at most 60 characters')
    }
    return { name, slug }
  })
}

function slugOf(name: string): string {
  return name
    .toLowerCase()
    .replaceAll('&', 'and')
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '')
    .join('-')
}

interface Texts {
  readonly description: string
  readonly full_description: string
  readonly categories: string
  readonly badge: string | null
}

const readTexts =
  'SELECT description, full_description, categories, badge FROM repository_pages WHERE repository_id = ?'

const writeTexts = `INSERT INTO repository_pages (repository_id, description, full_description, categories, badge, updated_at)
  VALUES (?, ?, ?, ?, ?, ?)
  ON CONFLICT (repository_id) DO UPDATE SET description = excluded.description,
    full_description = excluded.full_description, categories = excluded.categories,
    badge = excluded.badge, updated_at = excluded.updated_at`
