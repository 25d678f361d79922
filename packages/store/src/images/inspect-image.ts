import type { ContainerDefaults, Healthcheck } from '@katman/oci'
import { compareText, type ImageView } from './image-view.ts'

/** JSON of an image, keys in docker's order. */
export type ImageDocument = Readonly<Record<string, unknown>>

/** What docker's engine (API 1.41, classic store) says of an image. */
export async function inspectImage(image: ImageView): Promise<ImageDocument> {
  const config = await image.readConfig()
  const { variant, osVersion, os, architecture } = config.platform
  return {
    Id: image.id,
    RepoTags: image.tags.map((name) => name.familiar),
    RepoDigests: image.digests.map((name) => name.familiar),
    Parent: '',
    Comment: config.comment ?? config.history.at(-1)?.comment ?? '',
    Created: goTime(config.created),
    Container: config.container ?? '',
    ContainerConfig: configDocument({}),
    DockerVersion: config.dockerVersion ?? '',
    Author: config.author ?? '',
    Config: configDocument(config.config),
    Architecture: architecture,
    Variant: variant,
    Os: os,
    OsVersion: osVersion,
    Size: image.sizeBytes,
    VirtualSize: image.sizeBytes,
    GraphDriver: { Data: null, Name: 'katman' },
    RootFS: {
      Type: 'layers',
      Layers: config.diffIDs.length === 0 ? undefined : config.diffIDs,
    },
    Metadata: { LastTagTime: image.record.lastTagTime ?? '0001-01-01T00:00:00Z' },
  }
}

/** The same as docker's client holds it, which is what templates see: absent parts of `Config` are left out. */
export async function inspectView(image: ImageView): Promise<ImageDocument> {
  const { config } = await image.readConfig()
  return { ...(await inspectImage(image)), Config: clientConfig(config) }
}

function configDocument(config: ContainerDefaults): ImageDocument {
  return {
    Hostname: '',
    Domainname: '',
    User: config.user ?? '',
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    ExposedPorts: set(config.exposedPorts),
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: config.env ?? null,
    Cmd: config.cmd ?? null,
    Healthcheck: healthcheck(config.healthcheck),
    ArgsEscaped: config.argsEscaped || undefined,
    Image: '',
    Volumes: set(config.volumes) ?? null,
    WorkingDir: config.workingDir ?? '',
    Entrypoint: config.entrypoint ?? null,
    OnBuild: config.onBuild ?? null,
    Labels: sorted(config.labels) ?? null,
    StopSignal: config.stopSignal || undefined,
    StopTimeout: config.stopTimeout,
    Shell: config.shell,
  }
}

function clientConfig(config: ContainerDefaults): ImageDocument {
  return {
    User: config.user || undefined,
    ExposedPorts: set(config.exposedPorts),
    Env: config.env,
    Entrypoint: config.entrypoint,
    Cmd: config.cmd,
    Volumes: set(config.volumes),
    WorkingDir: config.workingDir || undefined,
    Labels: sorted(config.labels),
    StopSignal: config.stopSignal || undefined,
    ArgsEscaped: config.argsEscaped || undefined,
    Healthcheck: healthcheck(config.healthcheck),
    OnBuild: config.onBuild,
    Shell: config.shell,
  }
}

function healthcheck(check: Healthcheck | undefined): ImageDocument | undefined {
  if (check === undefined) return undefined
  return {
    Test: check.test,
    Interval: check.interval || undefined,
    Timeout: check.timeout || undefined,
    StartPeriod: check.startPeriod || undefined,
    StartInterval: check.startInterval || undefined,
    Retries: check.retries || undefined,
  }
}

function set(names: readonly string[] | undefined): ImageDocument | undefined {
  if (names === undefined) return undefined
  return Object.fromEntries(names.toSorted().map((name) => [name, {}]))
}

function sorted(
  labels: Readonly<Record<string, string>> | undefined,
): ReadonlyMap<string, string> | undefined {
  return labels === undefined
    ? undefined
    : new Map(Object.entries(labels).toSorted(([left], [right]) => compareText(left, right)))
}

/** A time as Go writes it: no trailing zeros of the fraction, `Z` for UTC. */
function goTime(text: string | undefined): string {
  if (text === undefined) return '0001-01-01T00:00:00Z'
  return text.replace(/\.(\d*?)0*(?=Z|[+-]\d\d:\d\d$)/, (_, digits: string) =>
    digits === '' ? '' : `.${digits}`,
  )
}
