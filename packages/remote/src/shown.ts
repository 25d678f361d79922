const maxShown = 1000
// C0 and C1 controls except newline, and the characters that turn text around.
const dangerous = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** Text from a registry, fit to be part of a message: bounded, without control characters. */
export function shownText(text: string): string {
  const bounded = text.length > maxShown ? `${text.slice(0, maxShown)}…` : text
  return bounded.replace(dangerous, '\ufffd')
}

/** The same on one line: what follows a line feed could be taken for a line of ours. */
export function shownLine(text: string): string {
  return shownText(text).trim().replace(/\n+/g, ' ')
}

/** A URL fit to be shown: no user, no password, no query (presigned URLs carry secrets there). */
export function shownUrl(url: URL): string {
  return shownText(`${url.protocol}//${url.host}${url.pathname}`)
}
