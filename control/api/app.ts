import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { createMiddleware } from "hono/factory";
import type { Env } from "../env.ts";
import { policyStore } from "../objects.ts";
import { StrangerLimit } from "../operators/stranger-limit.ts";
import { freshness } from "../workload.ts";
import { WorkloadDoor } from "../workload-http.ts";
import { access, allows, type Role, type Route } from "./access.ts";
import { audit } from "./audit.ts";
import { type Caller, callerOf } from "./caller.ts";
import { check } from "./check.ts";
import { entries } from "./entries.ts";
import { explain } from "./explain.ts";
import { federation } from "./federation.ts";
import type { ApiContext, ApiEnv, Handlers } from "./handler.ts";
import { identity, jwks } from "./identity.ts";
import { keys } from "./keys.ts";
import { metrics } from "./metrics.ts";
import { operators } from "./operators.ts";
import { policies } from "./policies.ts";
import { missing, problem } from "./problems.ts";
import { revocations } from "./revocations.ts";
import { routes } from "./routes.ts";
import { services } from "./services.ts";
import { status } from "./status.ts";
import { sync } from "./sync.ts";
import { traces } from "./traces.ts";
import { verification } from "./verification.ts";

/** Largest body of the admin API, bytes. */
export const maxBody = 2_097_152;

/** A handler for every route of the table in `access.ts`, no more and no less. */
const handlers: Handlers<Route> = {
  ...policies,
  ...status,
  ...services,
  ...routes,
  ...explain,
  ...traces,
  ...check,
  ...identity,
  ...entries,
  ...keys,
  ...federation,
  ...revocations,
  ...sync,
  ...operators,
  ...audit,
  ...metrics,
  ...verification,
};

/** The control plane over HTTP: the admin API, the verbs for workloads outside the account, and two public pages. */
export const app = new Hono<ApiEnv>();

/** What this isolate has verified, in memory. */
const door = new WorkloadDoor(freshness);
/** Which tokens this isolate has seen to be valid, in memory. */
const strangers = new StrangerLimit();

for (const [route, role] of Object.entries(access) as [Route, Role][]) {
  const [method = "", path = ""] = route.split(" ");
  app.on(method, path, wanting(role, route), limited(maxBody), whole(role, route), (context) =>
    handlers[route](context),
  );
}

app.post("/workload/join", ({ req, env, executionCtx }) =>
  door.join(req.raw, env, (work) => executionCtx.waitUntil(work)),
);
app.post("/workload/report", ({ req, env, executionCtx }) =>
  door.report(req.raw, env, (work) => executionCtx.waitUntil(work)),
);
app.post("/workload/admit", ({ req, env }) => door.admit(req.raw, env));
app.post("/workload/nonce", ({ env }) => door.nonce(env));
app.get("/.well-known/tulle/jwks.json", jwks);
app.get("/healthz", (context) => context.text("ok\n", 200, { "cache-control": "no-store" }));

app.notFound((context) => missing(`Nothing answers ${context.req.method} ${context.req.path}.`));
app.onError((error) => {
  // The message may quote what was sent; operators find it in the log, callers do not.
  console.error("control:", error.stack ?? error.message);
  return problem(
    "internal",
    "Control failed to handle this request",
    "The log of the control worker says why.",
  );
});

/** Lets in who holds the token of a role that suffices. */
function wanting(role: Role, route: Route) {
  return createMiddleware<ApiEnv>(async (context, next) => (await refusalOf(context, role, route)) ?? next());
}

/**
 * Goes on once the body is there, if whoever sends it may still do that: he can send it as slowly as he likes, and hold
 * requests back until his token has been revoked.
 */
function whole(role: Role, route: Route) {
  return createMiddleware<ApiEnv>(async (context, next) => {
    if (context.req.raw.body === null) return next();
    // Kept for the handler.
    await context.req.text();
    return (await refusalOf(context, role, route)) ?? next();
  });
}

/** Why somebody is not let in; otherwise the context knows who it is. */
async function refusalOf(context: ApiContext, role: Role, route: Route): Promise<Response | undefined> {
  const { env } = context;
  const now = Date.now();
  const caller = await callerOf(context.req.header("authorization") ?? null, env, now, async (token) => {
    if (!strangers.admits(token.hash, now)) return { kind: "busy" };
    const standing = await policyStore(env).judgeToken(token);
    if (standing.kind === "valid") strangers.remember(token.hash);
    else strangers.forget(token.hash);
    return standing;
  });
  if (caller instanceof Response) return caller;
  if (!allows(caller.role, role)) {
    await noteDenial(env, caller, route, `The role ${role} is required, the token has ${caller.role}.`);
    return problem(
      "role",
      "This token may not do that",
      `The role ${role} is required, the token has ${caller.role}. Use a token with that role, or ask an admin for one.`,
      // RFC 6750 §3.1.
      { "www-authenticate": `Bearer realm="tulle", error="insufficient_scope", scope="${role}"` },
    );
  }
  context.set("caller", caller);
  return undefined;
}

/** Writes a refusal to the audit log. Who is refused is refused whether or not that can be written. */
async function noteDenial(env: Env, caller: Caller, route: Route, reason: string): Promise<void> {
  try {
    await policyStore(env).denied(caller, route, reason);
  } catch (error) {
    const why = error instanceof Error ? error.message : "unknown reason";
    console.error(`control: a refusal could not be written to the audit log: ${why}`);
  }
}

function limited(maxSize: number) {
  return bodyLimit({
    maxSize,
    onError: () =>
      problem("body-too-large", "The request body is too large", `The limit is ${maxSize} bytes.`),
  });
}
