const usualCost = '10'

/**
 * A bcrypt hash that is no password's, for names that are not there: at the cost that most of the others have, so that the time of an
 * answer does not say which names are.
 */
export function nobodysHash(hashes: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const hash of hashes) {
    const [, , cost = ''] = hash.split('$')
    counts.set(cost, (counts.get(cost) ?? 0) + 1)
  }
  const [[cost] = [usualCost]] = [...counts].toSorted(([, one], [, other]) => other - one)
  return `$2b$${cost}$CwTycUXWue0Thq9StjUM0uJ8y0R6VQwWi4KFOeFHrgb3R04QLbL7a`
}
