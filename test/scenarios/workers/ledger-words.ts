/** What reached the ledger, and what its isolate has had to do until then. */
export interface Entry {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** How often this application was called. */
  readonly runs: number;
  /** How often its isolate has verified the signature of a workload's token, and of a request. */
  readonly verified: { readonly tokens: number; readonly proofs: number };
}
