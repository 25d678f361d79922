/** Who may come in and how they prove it. */
export interface AccessOptions {
  /** Name of the service in challenges and tokens. Default `katman`. */
  readonly service?: string
  /** How long a token of the token server is good for. Default 300, at least 60. */
  readonly tokenSeconds?: number
}
