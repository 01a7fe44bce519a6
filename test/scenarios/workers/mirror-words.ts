/** A request as a worker was asked it. */
export interface Mirrored {
  /** Who answers. */
  readonly by: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Length of the body. */
  readonly bytes: number;
  readonly caller: string | undefined;
  /** How many requests this worker has begun with, and how many bodies it has read to their end, this one included. */
  readonly begun: number;
  readonly bodies: number;
}
