/** What a callee of the scenarios tells of the request that it got. */
export interface Told {
  readonly caller: string;
  readonly evidence: string;
  readonly namespace: string;
  /** Who called, asked once more after others had arrived and been answered. */
  readonly later: string;
  readonly host: string;
}
