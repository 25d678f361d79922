import type { Digest } from './digest.ts'
import type { ContainerDefaults, Healthcheck, HistoryEntry } from './image-config.ts'
import { normalisePlatform, type Platform } from './platform.ts'

/** What an image config to make says. */
export interface ImageConfigDraft {
  readonly platform: Platform
  /** RFC 3339. */
  readonly created: string
  readonly comment?: string
  readonly config: ContainerDefaults
  /** Digests of the uncompressed layers, bottom first. */
  readonly diffIDs: readonly Digest[]
  readonly history: readonly HistoryEntry[]
}

/** The JSON of an image config (image-spec config.md), keys sorted as docker has them; what is empty is left out. */
export function imageConfigJson(draft: ImageConfigDraft): unknown {
  const { architecture, os, variant, osVersion, osFeatures } = normalisePlatform(draft.platform)
  return {
    architecture,
    comment: draft.comment === '' ? undefined : draft.comment,
    config: defaultsJson(draft.config),
    created: draft.created,
    history: draft.history.map(({ created, createdBy, author, comment, emptyLayer }) => ({
      created,
      created_by: createdBy,
      author,
      comment,
      empty_layer: emptyLayer || undefined,
    })),
    os,
    'os.version': osVersion,
    'os.features': osFeatures,
    rootfs: { type: 'layers', diff_ids: draft.diffIDs },
    variant,
  }
}

function defaultsJson(config: ContainerDefaults): unknown {
  return {
    User: config.user || undefined,
    ExposedPorts: keysJson(config.exposedPorts),
    Env: listJson(config.env),
    Cmd: listJson(config.cmd),
    Healthcheck: config.healthcheck === undefined ? undefined : healthJson(config.healthcheck),
    ArgsEscaped: config.argsEscaped || undefined,
    Volumes: keysJson(config.volumes),
    WorkingDir: config.workingDir || undefined,
    Entrypoint: listJson(config.entrypoint),
    OnBuild: listJson(config.onBuild),
    Labels: config.labels,
    StopSignal: config.stopSignal || undefined,
    StopTimeout: config.stopTimeout,
    Shell: listJson(config.shell),
  }
}

function healthJson(health: Healthcheck): unknown {
  return {
    Test: health.test,
    Interval: health.interval,
    Timeout: health.timeout,
    StartPeriod: health.startPeriod,
    StartInterval: health.startInterval,
    Retries: health.retries,
  }
}

function listJson(list: readonly string[] | undefined): readonly string[] | undefined {
  return list === undefined || list.length === 0 ? undefined : list
}

/** A Go set: an object whose values say nothing. */
function keysJson(keys: readonly string[] | undefined): unknown {
  if (keys === undefined || keys.length === 0) return undefined
  return Object.fromEntries(keys.toSorted().map((key) => [key, {}]))
}
