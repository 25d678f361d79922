export { inBlock, isIpAddress, isPrivateAddress } from './address.ts'
export type { ApiRequest, ApiResponse } from './ask-api.ts'
export { type Clock, systemClock } from './clock.ts'
export { type Credential, type CredentialSource, noCredentials } from './credential.ts'
export type { StorableCredential } from './credential-helper.ts'
export {
  defaultHttpLimits,
  type HttpLimits,
  type HttpRequest,
  type HttpResponse,
  type HttpTransport,
  readLimited,
  type StreamBody,
} from './http.ts'
export { shownDownload } from './download.ts'
export {
  createHttpTransport,
  type HttpTransportOptions,
  type MayConnect,
} from './http-transport.ts'
export {
  type CredentialStore,
  loadCredentials,
  type LoadCredentialsOptions,
} from './load-credentials.ts'
export { loadSettings, type LoadOptions } from './load-settings.ts'
export { login, type LoginOptions, type LoginResult, logout } from './login.ts'
export {
  createRemote,
  type Remote,
  type RemoteEvent,
  type RemoteOptions,
  type RepositoryName,
} from './remote.ts'
export type { FetchedManifest } from './manifest-fetch.ts'
export { type FinalResponse, sendFollowing } from './redirect.ts'
export type { RemoteRepository } from './repository.ts'
export type { RootCertificateSources } from './root-certificates.ts'
export type { SearchResult } from './search.ts'
export type { Patience, RetryEvent } from './retry.ts'
export {
  defaultSettings,
  type HostCapabilities,
  type ProxySettings,
  type RegistryHost,
  type RegistryRule,
  type RemoteSettings,
  type TlsSettings,
} from './settings.ts'
