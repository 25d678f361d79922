import { existsSync } from 'node:fs'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { DockerdPeer } from '../peers/dockerd.ts'
import { goTool } from '../peers/require-peer.ts'
import { type CommandResult, runChecked } from '../peers/terminal.ts'
import { writeLayeredImage } from '../round-trips/layered-image.ts'

/** What a client can be asked to do with a registry. */
export const verbs = ['login', 'push', 'pull', 'list', 'delete'] as const

type Verb = (typeof verbs)[number]

export interface Login {
  readonly user: string
  readonly secret: string
}

/** What one client does in one registry. */
export interface Place {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** `127.0.0.1:PORT/clients/NAME`, of this client alone. */
  readonly repository: string
  readonly login: Login | undefined
  /** A private folder: home of the client and place of what it fetches. */
  readonly folder: string
}

export interface Client {
  readonly name: string
  /** How it does each verb; one that is missing is none of its commands. Tag `1` is what is pushed. */
  readonly verbs: Readonly<Partial<Record<Verb, (place: Place) => Promise<CommandResult>>>>
}

/** What the clients push, made once: an image as a layout, as a tar of files, and a chart. */
export interface Goods {
  readonly layout: string
  readonly files: string
  readonly chart: string
}

export async function makeGoods(folder: string): Promise<Goods> {
  const layout = path.join(folder, 'layout')
  await writeLayeredImage(layout, '1', 2)
  const files = path.join(folder, 'files.tar')
  await writeFile(path.join(folder, 'hello'), 'merhaba\n')
  await runChecked('tar', ['-C', folder, '-cf', files, 'hello'])
  const chart = path.join(folder, 'chart')
  await mkdir(path.join(chart, 'templates'), { recursive: true })
  await writeFile(path.join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: chart\nversion: 1.0.0\n')
  await runChecked(goTool('helm'), ['package', '-d', folder, chart], { env: homeOf(folder) })
  return { layout, files, chart: path.join(folder, 'chart-1.0.0.tgz') }
}

/** The clients; `engine` is a docker engine, whose containerd `ctr` talks to. */
export function clientsOf({ layout, files, chart }: Goods, engine: DockerdPeer): readonly Client[] {
  const docker =
    (program: string) =>
    (place: Place, words: readonly string[], stdin?: string): Promise<CommandResult> =>
      // Not this machine's PATH: docker would keep passwords in `pass` where that is installed.
      run(program, words, {
        env: { PATH: place.folder, DOCKER_HOST: engine.host, HOME: place.folder },
        stdin,
      })
  const podman = (place: Place, words: readonly string[], stdin?: string) => {
    const store = ['--root', path.join(place.folder, 'store'), '--storage-driver=vfs']
    const places = [...store, '--runroot', path.join(place.folder, 'run'), '--log-level=error']
    return run('/usr/bin/podman', [...places, ...words], { env: authOf(place), stdin })
  }
  const plain =
    (program: string) =>
    (place: Place, words: readonly string[], stdin?: string): Promise<CommandResult> =>
      run(program, words, { env: authOf(place), stdin })
  const skopeo = plain('/usr/bin/skopeo')
  const crane = plain(goTool('crane'))
  const regctl = plain(goTool('regctl'))
  const oras = plain(goTool('oras'))
  const helm = plain(goTool('helm'))
  const ctr = (place: Place, verb: string) => {
    const socket = path.join(engine.directory, 'exec/containerd/containerd.sock')
    const user =
      place.login === undefined ? [] : ['--user', `${place.login.user}:${place.login.secret}`]
    const words = ['--address', socket, '-n', 'clients', 'images', verb, '--plain-http', ...user]
    return run('/usr/bin/ctr', [...words, `${place.repository}:1`], { env: homeOf(place.folder) })
  }

  const dockerVerbs = (program: string): Client['verbs'] => {
    const it = docker(program)
    return {
      login: (place) =>
        it(place, ['login', ...asUser(place), '--password-stdin', place.host], secretOf(place)),
      push: async (place) => {
        await it(place, ['import', files, `${place.repository}:1`])
        return it(place, ['push', `${place.repository}:1`])
      },
      pull: async (place) => {
        await it(place, ['rmi', '--force', `${place.repository}:1`])
        return it(place, ['pull', `${place.repository}:1`])
      },
    }
  }

  return [
    { name: 'docker 20.10', verbs: dockerVerbs('/usr/bin/docker') },
    // Only some machines carry a newer client beside Debian's.
    ...(existsSync(newerDocker) ? [{ name: 'docker 28', verbs: dockerVerbs(newerDocker) }] : []),
    {
      name: 'containerd',
      verbs: {
        push: async (place) => {
          const archive = path.join(place.folder, 'image.tar')
          await run('/usr/bin/skopeo', [
            'copy',
            '-q',
            `oci:${layout}:1`,
            `oci-archive:${archive}:${place.repository}:1`,
          ])
          const socket = path.join(engine.directory, 'exec/containerd/containerd.sock')
          await run('/usr/bin/ctr', [
            '--address',
            socket,
            '-n',
            'clients',
            'images',
            'import',
            archive,
          ])
          return ctr(place, 'push')
        },
        pull: (place) => ctr(place, 'pull'),
      },
    },
    {
      name: 'podman',
      verbs: {
        login: (place) =>
          podman(
            place,
            ['login', '--tls-verify=false', ...asUser(place), '--password-stdin', place.host],
            secretOf(place),
          ),
        push: async (place) => {
          await podman(place, ['import', '-q', files, `${place.repository}:1`])
          return podman(place, ['push', '-q', '--tls-verify=false', `${place.repository}:1`])
        },
        pull: async (place) => {
          await podman(place, ['rmi', '--force', `${place.repository}:1`])
          return podman(place, ['pull', '-q', '--tls-verify=false', `${place.repository}:1`])
        },
        list: (place) =>
          podman(place, ['search', '--list-tags', '--tls-verify=false', place.repository]),
      },
    },
    {
      name: 'skopeo',
      verbs: {
        login: (place) =>
          skopeo(
            place,
            ['login', '--tls-verify=false', ...asUser(place), '--password-stdin', place.host],
            secretOf(place),
          ),
        push: (place) =>
          skopeo(place, [
            'copy',
            '-q',
            '--dest-tls-verify=false',
            `oci:${layout}:1`,
            `docker://${place.repository}:1`,
          ]),
        pull: (place) =>
          skopeo(place, [
            'copy',
            '-q',
            '--src-tls-verify=false',
            `docker://${place.repository}:1`,
            `oci:${path.join(place.folder, 'pulled')}:1`,
          ]),
        list: (place) =>
          skopeo(place, ['list-tags', '--tls-verify=false', `docker://${place.repository}`]),
        delete: (place) =>
          skopeo(place, ['delete', '--tls-verify=false', `docker://${place.repository}:1`]),
      },
    },
    {
      name: 'crane',
      verbs: {
        login: (place) =>
          crane(
            place,
            ['auth', 'login', ...asUser(place), '--password-stdin', place.host],
            secretOf(place),
          ),
        push: async (place) => {
          // It takes a layout for an index; its pull makes an image of one.
          const one = path.join(place.folder, 'layout')
          await cp(layout, one, { recursive: true })
          return crane(place, ['--insecure', 'push', one, `${place.repository}:1`])
        },
        pull: (place) =>
          crane(place, [
            '--insecure',
            'pull',
            `${place.repository}:1`,
            path.join(place.folder, 'pulled.tar'),
          ]),
        list: (place) => crane(place, ['--insecure', 'ls', place.repository]),
        delete: (place) => crane(place, ['--insecure', 'delete', `${place.repository}:1`]),
      },
    },
    {
      name: 'regctl',
      verbs: {
        login: async (place) => {
          await regctl(place, ['registry', 'set', '--skip-check', '--tls', 'disabled', place.host])
          return regctl(
            place,
            ['registry', 'login', '--user', place.login?.user ?? '', '--pass-stdin', place.host],
            secretOf(place),
          )
        },
        push: async (place) => {
          await regctl(place, ['registry', 'set', '--skip-check', '--tls', 'disabled', place.host])
          return regctl(place, ['image', 'copy', `ocidir://${layout}:1`, `${place.repository}:1`])
        },
        pull: (place) =>
          regctl(place, [
            'image',
            'copy',
            `${place.repository}:1`,
            `ocidir://${path.join(place.folder, 'pulled')}:1`,
          ]),
        list: (place) => regctl(place, ['tag', 'ls', place.repository]),
        delete: (place) => regctl(place, ['tag', 'delete', `${place.repository}:1`]),
      },
    },
    {
      name: 'oras',
      verbs: {
        login: (place) =>
          oras(
            place,
            ['login', '--plain-http', ...asUser(place), '--password-stdin', place.host],
            secretOf(place),
          ),
        push: (place) => {
          const words = ['push', '--plain-http', '--disable-path-validation']
          return oras(place, [...words, `${place.repository}:1`, files])
        },
        pull: (place) =>
          oras(place, ['pull', '--plain-http', '-T', '-o', place.folder, `${place.repository}:1`]),
        list: (place) => oras(place, ['repo', 'tags', '--plain-http', place.repository]),
        delete: (place) =>
          oras(place, ['manifest', 'delete', '--plain-http', '--force', `${place.repository}:1`]),
      },
    },
    {
      name: 'helm',
      verbs: {
        login: (place) =>
          helm(
            place,
            ['registry', 'login', '--plain-http', ...asUser(place), '--password-stdin', place.host],
            secretOf(place),
          ),
        push: (place) => helm(place, ['push', '--plain-http', chart, `oci://${place.repository}`]),
        pull: (place) =>
          helm(place, [
            'pull',
            '--plain-http',
            '-d',
            place.folder,
            '--version',
            '1.0.0',
            `oci://${place.repository}/chart`,
          ]),
      },
    },
  ]
}

const newerDocker = '/usr/local/bin/docker'

interface RunOptions {
  readonly env?: NodeJS.ProcessEnv
  readonly stdin?: string | undefined
}

function run(program: string, words: readonly string[], { env, stdin }: RunOptions = {}) {
  return runChecked(program, words, {
    ...(env === undefined ? {} : { env }),
    ...(stdin === undefined ? {} : { stdin }),
  })
}

function asUser({ login }: Place): readonly string[] {
  return ['--username', login?.user ?? '']
}

function secretOf({ login }: Place): string {
  return login?.secret ?? ''
}

function homeOf(folder: string): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], HOME: folder }
}

/** podman and skopeo keep logins where the session is, unless they are told. */
function authOf({ folder }: Place): NodeJS.ProcessEnv {
  return { ...homeOf(folder), REGISTRY_AUTH_FILE: path.join(folder, 'auth.json') }
}
