import type {
  ApplyRequest,
  AuditAnswer,
  ChangeAnswer,
  CheckAnswer,
  DocumentRef,
  EntriesAnswer,
  EntryLine,
  EntryRequest,
  ExplainAnswer,
  ExplainRequest,
  FederationAnswer,
  FederationLine,
  FederationRequest,
  IdentitiesAnswer,
  Issue,
  KeysAnswer,
  NewOperatorToken,
  OperatorToken,
  OperatorTokenRequest,
  OperatorTokensAnswer,
  Revision,
  RevocationRequest,
  RevocationsAnswer,
  RotateRequest,
  RoutesAnswer,
  ServicesAnswer,
  StatusAnswer,
  StoredDocument,
  SyncAnswer,
  TokenAnswer,
  TokenRequest,
  TraceAnswer,
  UndoRequest,
  VerificationAnswer,
} from "@tulle/control/api/contract.ts";
import { type Request, send } from "./call.ts";
import type { Connection } from "./connection.ts";

/** A document, or with less given all that fit. */
export type DocumentFilter = Partial<DocumentRef>;

/** Whose rules, for callers of which namespace, and over which window their traffic, milliseconds. */
export interface RoutesQuery extends Readonly<Record<string, string | number | undefined>> {
  readonly service?: string | undefined;
  readonly gateway?: string | undefined;
  readonly namespace?: string | undefined;
  readonly windowMs: number;
}

/** Which entries of the audit log. */
export interface AuditQuery extends Readonly<Record<string, string | number | undefined>> {
  readonly after?: number | undefined;
  readonly limit?: number | undefined;
  readonly since?: string | undefined;
  readonly actor?: string | undefined;
  readonly newest?: 1 | undefined;
}

/**
 * The admin API of control. Every method throws a {@link Failure} with its exit code when control was
 * not reached or refused; a change that is refused for issues (422) is an answer, because the issues are.
 */
export interface Control {
  readonly connection: Connection;
  documents(filter: DocumentFilter): Promise<readonly StoredDocument[]>;
  document(ref: DocumentRef): Promise<StoredDocument>;
  apply(request: ApplyRequest): Promise<ChangeAnswer>;
  remove(ref: DocumentRef, expectedRevision: number | undefined): Promise<ChangeAnswer>;
  undo(request: UndoRequest): Promise<ChangeAnswer>;
  history(filter: DocumentFilter): Promise<readonly Revision[]>;
  sync(): Promise<SyncAnswer>;
  status(): Promise<StatusAnswer>;
  services(windowMs: number): Promise<ServicesAnswer>;
  routes(query: RoutesQuery): Promise<RoutesAnswer>;
  explain(request: ExplainRequest): Promise<ExplainAnswer>;
  trace(traceId: string): Promise<TraceAnswer>;
  check(): Promise<CheckAnswer>;
  joinToken(request: TokenRequest): Promise<TokenAnswer>;
  identities(): Promise<IdentitiesAnswer>;
  /** @param service whose demands to tell, too */
  verification(service: string | undefined): Promise<VerificationAnswer>;
  entries(): Promise<EntriesAnswer>;
  createEntry(request: EntryRequest): Promise<EntryLine>;
  revokeEntry(id: string, reason: string | undefined): Promise<EntryLine>;
  deleteEntry(id: string): Promise<EntryLine>;
  revocations(): Promise<RevocationsAnswer>;
  revoke(request: RevocationRequest): Promise<RevocationsAnswer>;
  unrevoke(request: RevocationRequest): Promise<RevocationsAnswer>;
  keys(): Promise<KeysAnswer>;
  rotateKey(request: RotateRequest): Promise<KeysAnswer>;
  revokeKey(kid: string): Promise<KeysAnswer>;
  federations(): Promise<FederationAnswer>;
  federate(request: FederationRequest): Promise<FederationLine>;
  refreshFederation(trustDomain: string): Promise<FederationLine>;
  unfederate(trustDomain: string): Promise<FederationAnswer>;
  tokens(): Promise<OperatorTokensAnswer>;
  createToken(request: OperatorTokenRequest): Promise<NewOperatorToken>;
  revokeToken(name: string): Promise<OperatorToken>;
  audit(query: AuditQuery): Promise<AuditAnswer>;
}

/** Speaks to control over HTTP. Each call is one request; nothing is retried, because changes are not idempotent. */
export function openControl(connection: Connection): Control {
  const ask = <Answer>(request: Request) => send<Answer>(connection, request);
  return {
    connection,
    documents: (filter) => ask({ path: withQuery("/api/policies", filter), expects: "list" }),
    document: (ref) => ask({ path: documentPath(ref), expects: "text" }),
    apply: (body) => ask({ method: "POST", path: "/api/policies", body, expects: "changes" }),
    remove: (ref, expectedRevision) =>
      ask({
        method: "DELETE",
        path: withQuery(documentPath(ref), { expectedRevision }),
        expects: "changes",
      }),
    undo: (body) => ask({ method: "POST", path: "/api/policies/undo", body, expects: "changes" }),
    history: (filter) => ask({ path: withQuery("/api/policies/history", filter), expects: "list" }),
    sync: () => ask({ method: "POST", path: "/api/sync", body: {}, expects: "adopted" }),
    status: () => ask({ path: "/api/status", expects: "services" }),
    services: (windowMs) => ask({ path: withQuery("/api/services", { windowMs }), expects: "edges" }),
    routes: (query) => ask({ path: withQuery("/api/routes", query), expects: "views" }),
    explain: (body) => ask({ method: "POST", path: "/api/explain", body, expects: "endings" }),
    trace: (traceId) => ask({ path: `/api/traces/${encodeURIComponent(traceId)}`, expects: "spans" }),
    check: () => ask({ path: "/api/check", expects: "checks" }),
    joinToken: (body) => ask({ method: "POST", path: "/api/identity/tokens", body, expects: "token" }),
    identities: () => ask({ path: "/api/identity", expects: "identities" }),
    verification: (service) =>
      ask({ path: withQuery("/api/identity/verification", { service }), expects: "bundle" }),
    entries: () => ask({ path: "/api/identity/entries", expects: "entries" }),
    createEntry: (body) => ask({ method: "POST", path: "/api/identity/entries", body, expects: "attestor" }),
    revokeEntry: (id, reason) =>
      ask({ method: "POST", path: `${entryPath(id)}/revoke`, body: { reason }, expects: "attestor" }),
    deleteEntry: (id) => ask({ method: "DELETE", path: entryPath(id), expects: "attestor" }),
    revocations: () => ask({ path: "/api/identity/revocations", expects: "revoked" }),
    revoke: (body) => ask({ method: "POST", path: "/api/identity/revocations", body, expects: "revoked" }),
    unrevoke: (body) =>
      ask({ method: "POST", path: "/api/identity/revocations/lift", body, expects: "revoked" }),
    keys: () => ask({ path: "/api/keys", expects: "keys" }),
    rotateKey: (body) => ask({ method: "POST", path: "/api/keys/rotate", body, expects: "keys" }),
    revokeKey: (kid) => ask({ method: "POST", path: "/api/keys/revoke", body: { kid }, expects: "keys" }),
    federations: () => ask({ path: "/api/federation", expects: "federations" }),
    federate: (body) => ask({ method: "POST", path: "/api/federation", body, expects: "bundleEndpoint" }),
    refreshFederation: (trustDomain) =>
      ask({
        method: "POST",
        path: `${federationPath(trustDomain)}/refresh`,
        body: {},
        expects: "bundleEndpoint",
      }),
    unfederate: (trustDomain) =>
      ask({ method: "DELETE", path: federationPath(trustDomain), expects: "federations" }),
    tokens: () => ask({ path: "/api/tokens", expects: "tokens" }),
    createToken: (body) => ask({ method: "POST", path: "/api/tokens", body, expects: "token" }),
    revokeToken: (name) =>
      ask({ method: "DELETE", path: `/api/tokens/${encodeURIComponent(name)}`, expects: "role" }),
    audit: (query) => ask({ path: withQuery("/api/audit", query), expects: "entries" }),
  };
}

/** Whether a change was refused for what is wrong with its documents. */
export function isRefused(answer: { readonly issues: readonly Issue[] }): boolean {
  return answer.issues.some((issue) => issue.severity === "error");
}

const federationPath = (trustDomain: string): string => `/api/federation/${encodeURIComponent(trustDomain)}`;

const entryPath = (id: string): string => `/api/identity/entries/${encodeURIComponent(id)}`;

function documentPath({ kind, namespace, name }: DocumentRef): string {
  return `/api/policies/${[kind, namespace, name].map(encodeURIComponent).join("/")}`;
}

function withQuery(path: string, query: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(query).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, String(value)]],
  );
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
}
