import type { RegistryResponse } from '../../http.ts'

const headers = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; frame-ancestors 'none'; form-action 'none'; base-uri 'none'",
  'referrer-policy': 'no-referrer',
}

interface LoginDone {
  readonly account: string
  readonly token: string
  readonly hours: number
  readonly host: string
}

/** The end of a login: how to use the token with docker. No script, nothing from elsewhere. */
export function donePage({ account, token, hours, host }: LoginDone): RegistryResponse {
  return page(
    200,
    'Logged in',
    `<p>You are <strong>${escapeHtml(account)}</strong>. This access token is shown only now and ends in ${hours} hours. Use it as the password:</p>
<pre>docker login -u ${escapeHtml(account)} ${escapeHtml(host)}</pre>
<pre>${escapeHtml(token)}</pre>`,
  )
}

export function failedPage(status: number, why: string): RegistryResponse {
  return page(
    status,
    'Not logged in',
    `<p>${escapeHtml(why)}</p>\n<p><a href="/login">Try again</a></p>`,
  )
}

function page(status: number, title: string, body: string): RegistryResponse {
  const text = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${title}</title></head>
<body>
<h1>${title}</h1>
${body}
</body>
</html>
`
  return { status, headers, body: Buffer.from(text) }
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (letter) => `&#${letter.codePointAt(0)};`)
}
