/** What one worker of a chain knows of the request that it was sent. */
export interface Hop {
  readonly caller: string;
  readonly evidence: string;
  /** Headers that the application sees. */
  readonly headers: readonly string[];
  /** Whether the application sees a body. */
  readonly hasBody: boolean;
  readonly next?: Hop;
}
