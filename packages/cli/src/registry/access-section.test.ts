import { describe, expect, it } from 'vitest'
import { readYaml } from '../sync/yaml-reader.ts'
import { readAccess } from './access-section.ts'

const read = (text: string): unknown => readAccess(readYaml(text, 'registry.yaml'))

describe('the section access', () => {
  it('reads users of a file, workloads and a login', () => {
    expect(
      read(`
service: Team registry
token-lifetime: 10m
audit-keep: 90d
workloads:
  - issuer: https://token.actions.githubusercontent.com
    audience: registry.example
    identities:
      - claims: { repository: org/app, ref: refs/heads/* }
        account: team+ci
        scopes:
          - { repositories: team/app, actions: [pull, push] }
login:
  issuer: https://id.example
  client-id: registry
  client-secret-file: /run/secrets/oidc
  claims: { groups: staff }
  token-lifetime: 8h
`),
    ).toEqual({
      service: 'Team registry',
      tokenSeconds: 600,
      auditDays: 90,
      workloads: [
        {
          issuer: 'https://token.actions.githubusercontent.com',
          audience: 'registry.example',
          identities: [
            {
              claims: { repository: 'org/app', ref: 'refs/heads/*' },
              account: 'team+ci',
              scopes: [{ repository: 'team/app', actions: ['pull', 'push'] }],
            },
          ],
        },
      ],
      login: {
        issuer: 'https://id.example',
        clientID: 'registry',
        clientSecretFile: '/run/secrets/oidc',
        claims: { groups: 'staff' },
        tokenHours: 8,
      },
    })
    expect(
      read(`
htpasswd:
  file: /etc/katman/users
  administrators: [ayse]
  rules:
    - { users: [everyone], repositories: '**', actions: [pull] }
`),
    ).toEqual({
      htpasswd: {
        file: '/etc/katman/users',
        administrators: ['ayse'],
        rules: [{ users: ['everyone'], repositories: '**', actions: ['pull'] }],
      },
    })
  })

  it.each([
    ['passwords: 1', /passwords/],
    ['htpasswd: {}', /file is missing/],
    ['htpasswd: { file: x }\nlogin: { issuer: https://x.test, client-id: x }', /htpasswd/],
    ['login: { issuer: http://id.example, client-id: x }', /is no issuer/],
    ['login: { issuer: https://u:p@id.example, client-id: x }', /is no issuer/],
    ['service: "a\\"b"', /letters/],
    [
      'workloads: [{ issuer: https://x.test, audience: a, identities: [{ account: a }] }]',
      /claims are missing/,
    ],
    [
      'htpasswd: { file: x, rules: [{ users: [a], repositories: "a/**/b", actions: [pull] }] }',
      /no pattern/,
    ],
    [
      'htpasswd: { file: x, rules: [{ users: [a], repositories: a, actions: [read] }] }',
      /are the actions/,
    ],
  ])('refuses %s', (text, message) => {
    expect(() => read(text)).toThrow(message)
  })
})
