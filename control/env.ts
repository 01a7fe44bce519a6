import type { Door } from "./object-door.ts";

/** What `wrangler.toml` binds to the control worker. Secrets may be missing: each use says then how to set them. */
export interface Env {
  readonly POLICIES: KVNamespace;
  readonly POLICY: DurableObjectNamespace<Door>;
  readonly ISSUER: DurableObjectNamespace<Door>;
  readonly SERVICES: DurableObjectNamespace<Door>;
  readonly REPLAYS: DurableObjectNamespace<Door>;
  readonly TRACES: DurableObjectNamespace<Door>;
  /** The root of every workload's name. */
  readonly TRUST_DOMAIN: string;
  /** Who holds it may change policy. */
  readonly TULLE_OPERATOR_TOKEN?: string;
  /** ISO 8601 time after which the operator token is refused. */
  readonly TULLE_OPERATOR_TOKEN_EXPIRES?: string;
  /** May only read. */
  readonly TULLE_VIEWER_TOKEN?: string;
  /** Encrypts the issuer's private keys at rest; without it nothing is issued. */
  readonly TULLE_KEY_SECRET?: string;
  /** What they rested under before `TULLE_KEY_SECRET` was changed; may go once they have been read under both. */
  readonly TULLE_KEY_SECRET_PREVIOUS?: string;
  /** How long a key signs tokens, such as `720h`. @default 30 days */
  readonly TULLE_KEY_ROTATION?: string;
  /** The address at which workloads outside of Cloudflare ask control, such as `https://control.example.com`. @default that of each request */
  readonly TULLE_URL?: string;
  /** Who signs the OIDC tokens of Deno Deploy; another one where Deno Deploy is run by somebody else, and in tests. @default https://oidc.deno.com */
  readonly TULLE_DENO_ISSUER?: string;
}
