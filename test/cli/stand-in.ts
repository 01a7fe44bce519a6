import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type {
  ApplyRequest,
  AuditAnswer,
  ChangeAnswer,
  CheckAnswer,
  EntriesAnswer,
  EntryLine,
  ExplainAnswer,
  ExplainRequest,
  FederationAnswer,
  FederationLine,
  IdentitiesAnswer,
  KeysAnswer,
  NewOperatorToken,
  OperatorToken,
  OperatorTokenRequest,
  OperatorTokensAnswer,
  Revision,
  RevocationsAnswer,
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

/** What the stand-in answers: the contract's own types, so that a change of the contract breaks these tests. */
export interface Answers {
  "GET /api/policies": readonly StoredDocument[];
  "GET /api/policies/:kind/:namespace/:name": StoredDocument;
  "POST /api/policies": ChangeAnswer;
  "POST /api/policies/undo": ChangeAnswer;
  "DELETE /api/policies/:kind/:namespace/:name": ChangeAnswer;
  "GET /api/policies/history": readonly Revision[];
  "POST /api/sync": SyncAnswer;
  "GET /api/status": StatusAnswer;
  "GET /api/services": ServicesAnswer;
  "GET /api/routes": RoutesAnswer;
  "POST /api/explain": ExplainAnswer;
  "GET /api/traces/:id": TraceAnswer;
  "GET /api/check": CheckAnswer;
  "POST /api/identity/tokens": TokenAnswer;
  "GET /api/identity": IdentitiesAnswer;
  "GET /api/identity/verification": VerificationAnswer;
  "GET /api/identity/entries": EntriesAnswer;
  "POST /api/identity/entries": EntryLine;
  "POST /api/identity/entries/:id/revoke": EntryLine;
  "DELETE /api/identity/entries/:id": EntryLine;
  "GET /api/identity/revocations": RevocationsAnswer;
  "POST /api/identity/revocations": RevocationsAnswer;
  "POST /api/identity/revocations/lift": RevocationsAnswer;
  "GET /api/keys": KeysAnswer;
  "POST /api/keys/rotate": KeysAnswer;
  "POST /api/keys/revoke": KeysAnswer;
  "GET /api/federation": FederationAnswer;
  "POST /api/federation": FederationLine;
  "POST /api/federation/:trustDomain/refresh": FederationLine;
  "DELETE /api/federation/:trustDomain": FederationAnswer;
  "GET /api/tokens": OperatorTokensAnswer;
  "POST /api/tokens": NewOperatorToken;
  "DELETE /api/tokens/:name": OperatorToken;
  "GET /api/audit": AuditAnswer;
}

type Bodies = ApplyRequest & UndoRequest & TokenRequest & ExplainRequest & OperatorTokenRequest;

/** A request as the stand-in received it. */
export interface Received {
  readonly method: string;
  readonly url: URL;
  readonly token: string | undefined;
  readonly body: Partial<Bodies> | undefined;
}

type Route = keyof Answers;
type Handler = (request: Received, response: ServerResponse) => void;

/** The token that the stand-in accepts. */
export const operatorToken = "operator-token-of-the-stand-in";

/** A stand-in for control: answers the admin API from a table, and remembers what it was asked. */
export interface StandIn extends AsyncDisposable {
  readonly url: string;
  readonly received: Received[];
  /** Answers a route with JSON; 422 for changes with errors is up to the test. */
  answer<Asked extends Route>(route: Asked, answer: Answers[Asked], status?: number): void;
  /** Answers a route with RFC 9457 problem details. */
  problem(route: Route, status: number, title: string, detail?: string): void;
  /** Answers a route as the test likes. */
  handle(route: Route, handler: Handler): void;
}

export async function startStandIn(): Promise<StandIn> {
  const handlers = new Map<Route, Handler>();
  const received: Received[] = [];
  const server = createServer(async (incoming, response) => {
    const request = await read(incoming);
    received.push(request);
    if (request.token !== operatorToken)
      return sendProblem(response, 401, "The operator token is not valid", "It is not the one of this mesh.");
    const handler = handlers.get(routeOf(request));
    if (handler === undefined)
      return sendProblem(response, 404, "There is no such thing", request.url.pathname);
    handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    answer: (route, answer, status = 200) =>
      handlers.set(route, (_request, response) => send(response, status, "application/json", answer)),
    problem: (route, status, title, detail) =>
      handlers.set(route, (_request, response) => sendProblem(response, status, title, detail)),
    handle: (route, handler) => handlers.set(route, handler),
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function routeOf({ method, url }: Received): Route {
  const path = url.pathname
    .replace(/^\/api\/policies\/[^/]+\/[^/]+\/[^/]+$/, "/api/policies/:kind/:namespace/:name")
    .replace(/^\/api\/identity\/entries\/[^/]+/, "/api/identity/entries/:id")
    .replace(/^\/api\/federation\/[^/]+/, "/api/federation/:trustDomain")
    .replace(/^\/api\/tokens\/[^/]+$/, "/api/tokens/:name")
    .replace(/^\/api\/traces\/[^/]+$/, "/api/traces/:id");
  return `${method} ${path}` as Route;
}

async function read(incoming: IncomingMessage): Promise<Received> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString("utf8");
  return {
    method: incoming.method ?? "",
    url: new URL(incoming.url ?? "", "http://stand-in"),
    token: incoming.headers.authorization?.replace(/^Bearer /, ""),
    body: text === "" ? undefined : JSON.parse(text),
  };
}

function sendProblem(response: ServerResponse, status: number, title: string, detail?: string): void {
  send(response, status, "application/problem+json", { type: "about:blank", title, status, detail });
}

function send(response: ServerResponse, status: number, type: string, body: unknown): void {
  response.writeHead(status, { "content-type": type });
  response.end(JSON.stringify(body));
}
