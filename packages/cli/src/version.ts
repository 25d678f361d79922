import manifest from '../package.json' with { type: 'json' }

/** Katman's version. */
export const version: string = manifest.version
