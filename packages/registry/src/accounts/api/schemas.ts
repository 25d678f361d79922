import * as v from 'valibot'
import { isPattern } from '../pattern.ts'
import { isAccountName, isNamespaceName, isRobotName } from '../names.ts'

const minPassword = 8
const maxPassword = 256
const minSeconds = 60
const maxSeconds = 10 * 366 * 24 * 3600

const accountName = named('an account name', isAccountName)
const namespaceName = named('a namespace', isNamespaceName)
const robotName = named('NAMESPACE+NAME', isRobotName)
const pattern = named('a repository or a pattern', isPattern)
const description = v.pipe(v.string(), v.maxLength(200))
const password = v.pipe(v.string(), v.minLength(minPassword), v.maxLength(maxPassword))
const action = v.picklist(['pull', 'push', 'delete', 'admin'])
const actionList = v.pipe(v.array(action), v.minLength(1), v.maxLength(8))
const scopes = v.pipe(
  v.array(v.strictObject({ repository: pattern, actions: actionList })),
  v.minLength(1),
  v.maxLength(100),
)
const seconds = v.pipe(v.number(), v.integer(), v.minValue(minSeconds), v.maxValue(maxSeconds))

export const newAccount = v.strictObject({
  name: accountName,
  password: v.optional(password),
  description: v.optional(description),
  is_admin: v.optional(v.boolean()),
  may_create: v.optional(v.boolean()),
})

export const accountChanges = v.strictObject({
  description: v.optional(description),
  is_admin: v.optional(v.boolean()),
  may_create: v.optional(v.boolean()),
  is_disabled: v.optional(v.boolean()),
})

export const newPassword = v.strictObject({
  password,
  current: v.optional(v.pipe(v.string(), v.maxLength(maxPassword))),
})

export const newToken = v.strictObject({
  name: v.pipe(v.string(), v.minLength(1), v.maxLength(64)),
  scopes: v.optional(scopes),
  expires_in: v.optional(seconds),
})

export const newRobot = v.strictObject({
  name: robotName,
  description: v.optional(description),
  grants: v.optional(scopes),
  expires_in: v.optional(seconds),
})

export const robotChanges = v.strictObject({
  description: v.optional(description),
  is_disabled: v.optional(v.boolean()),
})

export const newNamespace = v.strictObject({
  name: namespaceName,
  owner: v.optional(accountName),
})

export const memberRole = v.strictObject({
  role: v.picklist(['owner', 'maintainer', 'developer', 'guest']),
})

export const newGrant = v.strictObject({
  /** A person, a robot, `everyone` or `anonymous`. */
  subject: v.union([
    v.strictObject({ account: v.union([accountName, robotName]) }),
    v.picklist(['everyone', 'anonymous']),
  ]),
  repository: pattern,
  actions: actionList,
})

export const visibility = v.strictObject({ visibility: v.picklist(['public', 'private']) })

function named(what: string, is: (value: string) => boolean): v.GenericSchema<string> {
  return v.pipe(v.string(), v.check(is, what))
}
