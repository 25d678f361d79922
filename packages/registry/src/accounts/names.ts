const part = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/
const minLength = 2
const maxLength = 64

/** Namespaces that mean something to the registry itself or to Docker Hub. */
const reserved = new Set(['library', 'admin', 'api', 'v1', 'v2', '_catalog'])

/** True for what a person's account may be called: one part of a repository's name. */
export function isAccountName(name: string): boolean {
  return name.length >= minLength && name.length <= maxLength && part.test(name)
}

/** True for `namespace+name`, what a robot is called. */
export function isRobotName(name: string): boolean {
  const [namespace = '', own = '', ...more] = name.split('+')
  return (
    more.length === 0 && isNamespaceName(namespace) && own.length <= maxLength && part.test(own)
  )
}

export function isNamespaceName(name: string): boolean {
  return name.length <= maxLength && part.test(name)
}

/** False for names whose namespace an account must not get by being called so. */
export function mayOwnByName(name: string): boolean {
  return !reserved.has(name)
}

/** The namespace of a repository: its first part, `library` when there is one part only. */
export function namespaceOf(repository: string): string {
  const slash = repository.indexOf('/')
  return slash === -1 ? 'library' : repository.slice(0, slash)
}
