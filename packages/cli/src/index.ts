/**
 * Katman as a library. Everything of the packages below is here under one name; `connect` opens the registries
 * with this user's settings and credentials.
 */
export * from '@katman/artifact'
export * from '@katman/layer'
export * from '@katman/oci'
export * from '@katman/remote'
export * from '@katman/sign'
export * from '@katman/store'
export * from '@katman/transfer'
export { connect } from './connect.ts'
