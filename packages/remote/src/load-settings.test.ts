import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { createFolder } from '../test/support.ts'
import { loadSettings } from './load-settings.ts'
import { candidatesFor } from './mirrors.ts'

async function load(files: Record<string, string>, env: Record<string, string> = {}) {
  await using folder = await createFolder(files)
  const { path: root } = folder
  return await loadSettings({ env, home: path.join(root, 'home'), etc: path.join(root, 'etc') })
}

describe('loadSettings', () => {
  it('needs no file at all', async () => {
    const settings = await load({})
    expect(settings.rules).toEqual([])
    expect(candidatesFor(settings, 'docker.io', 'library/alpine')).toMatchObject({
      mirrors: [],
      origin: { registry: 'docker.io', host: { host: 'registry-1.docker.io' } },
    })
  })

  it('reads certs.d of docker and containers, by exact host and port', async () => {
    const { tls } = await load({
      'etc/docker/certs.d/reg.test:5000/ca.crt': 'CA1',
      'etc/docker/certs.d/reg.test:5000/me.cert': 'CERT',
      'etc/docker/certs.d/reg.test:5000/me.key': 'KEY',
      'home/.config/containers/certs.d/reg.test:5000/more.crt': 'CA2',
    })
    expect(tls.get('reg.test:5000')).toEqual({ ca: ['CA1', 'CA2'], cert: 'CERT', key: 'KEY' })
    expect(tls.has('reg.test')).toBe(false)
    await expect(load({ 'etc/docker/certs.d/reg.test/me.cert': 'CERT' })).rejects.toMatchObject({
      code: 'SETTINGS_INVALID',
    })
  })

  it('reads containerd hosts.toml with _default, capabilities and override_path', async () => {
    const settings = await load({
      'etc/containerd/certs.d/docker.io/hosts.toml': `
        server = "https://registry-1.docker.io"
        [host."https://mirror.test/proxy"]
          capabilities = ["pull"]
          skip_verify = true
        [host."http://plain.test:5000/custom"]
          override_path = true`,
      'etc/containerd/certs.d/_default/hosts.toml': '[host."https://every.test"]',
    })
    const hub = candidatesFor(settings, 'docker.io', 'library/alpine')
    expect(
      hub.mirrors.map(({ host, capabilities, namespace }) => ({
        ...host,
        capabilities,
        namespace,
      })),
    ).toEqual([
      {
        host: 'mirror.test',
        scheme: 'https',
        pathPrefix: '/proxy/v2',
        capabilities: { pull: true, resolve: false, push: false },
        skipVerify: true,
        namespaceQuery: true,
        namespace: 'docker.io',
      },
      {
        host: 'plain.test:5000',
        scheme: 'http',
        pathPrefix: '/custom',
        capabilities: { pull: true, resolve: true, push: false },
        namespaceQuery: true,
        namespace: 'docker.io',
      },
    ])
    expect(hub.origin.registry).toBe('docker.io')
    expect(candidatesFor(settings, 'quay.io', 'a/b').mirrors.map(({ host }) => host.host)).toEqual([
      'every.test',
    ])
    expect(candidatesFor(settings, '127.0.0.1:5000', 'a/b').mirrors).toEqual([])
  })

  it('reads registries.conf: prefix, location, mirrors, insecure, blocked', async () => {
    const settings = await load({
      'etc/containers/registries.conf': `
        [[registry]]
        prefix = "example.com/foo"
        location = "internal.test:5000/bar"
        insecure = true
        [[registry.mirror]]
        location = "mirror.test/cache"
        pull-from-mirror = "digest-only"
        [[registry]]
        prefix = "*.bad.test"
        blocked = true`,
      'etc/containers/registries.conf.d/one.conf':
        '[[registry]]\nlocation = "quay.io"\nblocked = true',
    })
    const found = candidatesFor(settings, 'example.com', 'foo/img')
    expect(found.origin).toMatchObject({
      registry: 'internal.test:5000',
      repository: 'bar/img',
      host: { insecure: true },
    })
    expect(found.mirrors).toMatchObject([
      { repository: 'cache/img', capabilities: { pull: true, resolve: false, push: false } },
    ])
    expect(candidatesFor(settings, 'example.com', 'foobar').mirrors).toEqual([])
    for (const registry of ['quay.io', 'x.bad.test']) {
      expect(() => candidatesFor(settings, registry, 'a')).toThrow(/blocked/)
    }
  })

  it("reads docker's daemon.json", async () => {
    const settings = await load({
      'etc/docker/daemon.json':
        '{"registry-mirrors":["https://m.test/"],"insecure-registries":["10.0.0.0/8"]}',
    })
    expect(settings.insecureRegistries).toEqual(['10.0.0.0/8'])
    expect(candidatesFor(settings, 'docker.io', 'library/x').mirrors[0]?.host).toMatchObject({
      host: 'm.test',
      pathPrefix: '/v2',
    })
  })

  it('reads the environment, in both cases', async () => {
    const settings = await load(
      {},
      {
        KATMAN_INSECURE_REGISTRIES: 'a.test, b.test:5000',
        KATMAN_TRUSTED_REALMS: 'reg.test=auth.example',
        https_proxy: 'http://p:1',
        ALL_PROXY: 'http://all:2',
        no_proxy: 'x.test',
      },
    )
    expect(settings.insecureRegistries).toEqual(['a.test', 'b.test:5000'])
    expect(settings.trustedRealms.get('reg.test')).toEqual(['auth.example'])
    expect(settings.proxies).toEqual({ http: 'http://all:2', https: 'http://p:1', none: 'x.test' })
  })

  it('names the file it cannot read', async () => {
    await expect(load({ 'etc/containers/registries.conf': '[[registry' })).rejects.toMatchObject({
      code: 'SETTINGS_INVALID',
      message: expect.stringContaining('registries.conf'),
    })
  })
})
