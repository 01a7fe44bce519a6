/** What one request saw of a policy that is changing. */
export interface TwoCalls {
  /** Who answered the first call, and who the second, after a pause that the test decides on. */
  readonly left: string;
  readonly right: string;
  /** Names this isolate: another one after a restart. */
  readonly isolate: string;
}
