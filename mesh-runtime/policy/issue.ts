/**
 * Something that is wrong with a document, or with several together. The admin API hands it on as it
 * is, so its members are those of the API's contract.
 */
export interface Issue {
  /** `error` refuses the change, `warning` does not. */
  readonly severity: "error" | "warning";
  /** Where the document came from (file name or KV key), if the client said so. */
  readonly source: string;
  /** 1-based, in the text as it was given. */
  readonly line: number;
  readonly column: number;
  /** `HTTPRoute/default/payments`, as far as it could be read. */
  readonly document: string;
  /** Such as `spec.rules[0].backendRefs[1].weight`. */
  readonly path: string;
  readonly expected: string;
  readonly found: string;
  /** One sentence that says what is wrong and what to do. */
  readonly message: string;
  /**
   * A warning about a reference that does not resolve: the document is in force and carries a condition
   * (Gateway API), and the requests concerned are refused. Whoever applies with `strict` has it refused.
   */
  readonly unresolved?: true;
}
