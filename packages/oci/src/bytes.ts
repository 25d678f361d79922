/** Bytes in order, in chunks of any size. The currency of every package border. */
export type Bytes = AsyncIterable<Uint8Array>
