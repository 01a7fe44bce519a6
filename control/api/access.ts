import type { Role } from "./contract.ts";

/** What a caller of the admin API may do; each role includes those before it. */
export const roles = ["viewer", "editor", "admin"] as const satisfies readonly Role[];

export type { Role } from "./contract.ts";

/**
 * Every route of the admin API and the role that it wants: the one table. A route that is not here does not
 * exist, and a handler without an entry here does not compile.
 */
export const access = {
  "GET /api/policies": "viewer",
  "GET /api/policies/history": "viewer",
  "GET /api/policies/:kind/:namespace/:name": "viewer",
  "POST /api/policies": "editor",
  "POST /api/policies/undo": "editor",
  "DELETE /api/policies/:kind/:namespace/:name": "editor",
  "POST /api/sync": "editor",
  "GET /api/status": "viewer",
  "GET /api/services": "viewer",
  "GET /api/routes": "viewer",
  "POST /api/explain": "viewer",
  "GET /api/traces/:id": "viewer",
  "GET /api/check": "viewer",
  "GET /api/identity": "viewer",
  "GET /api/identity/verification": "viewer",
  "POST /api/identity/tokens": "admin",
  "GET /api/identity/entries": "viewer",
  "POST /api/identity/entries": "admin",
  "POST /api/identity/entries/:id/revoke": "admin",
  "DELETE /api/identity/entries/:id": "admin",
  "GET /api/identity/revocations": "viewer",
  "POST /api/identity/revocations": "admin",
  "POST /api/identity/revocations/lift": "admin",
  "GET /api/federation": "viewer",
  "POST /api/federation": "admin",
  "DELETE /api/federation/:trustDomain": "admin",
  "POST /api/federation/:trustDomain/refresh": "admin",
  "GET /api/keys": "viewer",
  "POST /api/keys/rotate": "admin",
  "POST /api/keys/revoke": "admin",
  "GET /api/tokens": "admin",
  "POST /api/tokens": "admin",
  "DELETE /api/tokens/:name": "admin",
  "GET /api/audit": "viewer",
  "GET /metrics": "viewer",
} as const satisfies Readonly<Record<`${"GET" | "POST" | "DELETE"} /${string}`, Role>>;

export type Route = keyof typeof access;

/** The routes that want no operator token, and why that is right. */
export const open = {
  "POST /workload/join": "a join token, a token of Deno Deploy, or a signature of the workload",
  "POST /workload/admit": "a signature of the workload",
  "POST /workload/nonce": "a random number, of which nothing is kept",
  "POST /workload/report": "a signature of the workload",
  "GET /.well-known/tulle/jwks.json": "public keys",
  "GET /healthz": "says nothing but that the worker runs",
} as const satisfies Readonly<Record<string, string>>;

/** Whether somebody with role `has` may do what wants `wants`. */
export const allows = (has: Role, wants: Role): boolean => roles.indexOf(has) >= roles.indexOf(wants);
