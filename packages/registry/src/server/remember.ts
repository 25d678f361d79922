/** Does the work at most once at a time, and again only so long after it ended: those who ask meanwhile get the same outcome. */
export function remember<T>(
  work: () => Promise<T>,
  { ms, now }: { readonly ms: number; readonly now: () => number },
): () => Promise<T> {
  let last: Promise<T> | undefined
  let endedAt: number | undefined
  return () => {
    if (last !== undefined && (endedAt === undefined || now() - endedAt < ms)) return last
    endedAt = undefined
    last = work().finally(() => {
      endedAt = now()
    })
    return last
  }
}
