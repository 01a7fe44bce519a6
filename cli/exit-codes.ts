/** What the exit code of `tulle` says, so that scripts need not read messages. */
export const exit = {
  /** Done as asked. */
  ok: 0,
  /** Control answered, and something is wrong with what was asked about: not found, a check failed. */
  wrong: 1,
  /** The command line could not be understood, or names a file that cannot be read. */
  usage: 2,
  /** Control refused the change: a document is invalid (422), somebody else was first (409), too large (413). */
  refused: 3,
  /** Control does not accept the token (401), or its role does not allow this (403). */
  forbidden: 4,
  /** Control was not reached, did not answer in time, or failed itself (5xx). */
  unreachable: 5,
  /** `tulle explain`: the mesh would refuse the request, whichever backend were chosen. */
  unserved: 6,
} as const;

export type ExitCode = (typeof exit)[keyof typeof exit];

/** The same in words, at the end of `tulle --help`. */
export const exitCodeHelp = `
Exit codes:
  0  done as asked
  1  something is wrong with what you asked about: not found, a check failed
  2  the command line could not be understood, or names a file that cannot be read
  3  control refused the change: invalid document, conflict, too large
  4  not allowed: no token, a token that control does not accept, or a role that is too low
  5  control was not reached, did not answer in time, or failed itself
  6  the request that tulle explain was asked about would be refused

Environment:
  TULLE_URL    where control is (default http://127.0.0.1:8788)
  TULLE_TOKEN  the operator token; for a mesh on this machine, .tulle/token is found by itself
  NO_COLOR     set to anything: no colours`;
