import { type WorkerEntrypoint, withEnv } from "cloudflare:workers";
import type { Arrival, Handling, Loaded, Mesh } from "../../index.ts";
import { takeOverFetch } from "../fetch/global-fetch.ts";
import { meshOf } from "./isolate.ts";
import { meshedEnv } from "./meshed-env.ts";
import { inHandling } from "./tracing.ts";

export type { EndUser, Principal } from "../../index.ts";
export { caller, endUser } from "../fetch/context.ts";

/** A worker's default export: an object of handlers, or a class. */
type Handlers<Env> = ExportedHandler<Env>;
type EntrypointClass<Env> = new (ctx: ExecutionContext, env: Env) => WorkerEntrypoint<Env>;

/** What {@link mesh} has made, so that nothing is wrapped twice. */
const made = new WeakSet<object>();

/** Whether a default export has been through {@link mesh}. */
export const isMeshed = (app: object): boolean => made.has(app);

/** The application's view of an environment, one for each real one. */
const views = new WeakMap<object, object>();

/**
 * Puts a worker into the mesh: what arrives is verified and authorized before the handler runs, and what
 * the handler sends to services of the mesh is signed, routed, retried and guarded.
 *
 * @param app the worker's default export: an object with `fetch` and other handlers, or a `WorkerEntrypoint` class
 * @returns what the worker shall export by default instead
 */
export function mesh<Env extends object>(app: Handlers<Env>): Handlers<Env>;
export function mesh<Env extends object>(app: EntrypointClass<Env>): EntrypointClass<Env>;
export function mesh<Env extends object>(
  app: Handlers<Env> | EntrypointClass<Env>,
): Handlers<Env> | EntrypointClass<Env> {
  // Twice through the inbound journey would be once too often: the first takes the proof away.
  if (made.has(app)) return app;
  const meshed = typeof app === "function" ? meshedClass(app) : meshedHandlers(app);
  made.add(meshed);
  return meshed;
}

/** What the runtime delivers to a worker beside requests. Whatever else an export has is the application's own. */
const otherEvents = [
  "connect",
  "email",
  "queue",
  "scheduled",
  "tail",
  "tailStream",
  "test",
  "trace",
] as const;

function meshedHandlers<Env extends object>(app: Handlers<Env>): Handlers<Env> {
  // The application's own object stays behind it: an instance of a class inherits its handlers.
  const meshed = Object.create(app) as Handlers<Env>;
  const { fetch } = app;
  if (fetch !== undefined) {
    put(meshed, "fetch", (request: Request, env: Env, ctx: ExecutionContext) =>
      arrive(request, env, ctx, (incoming, view) => fetch.call(app, incoming as never, view, ctx)),
    );
  }
  for (const name of otherEvents) {
    const handler: unknown = Reflect.get(app, name);
    if (typeof handler !== "function") continue;
    put(meshed, name, (event: unknown, env: Env, ctx: ExecutionContext) =>
      occur(env, (view) => handler.call(app, event, view, ctx)),
    );
  }
  return meshed;
}

function meshedClass<Env extends object>(App: EntrypointClass<Env>): EntrypointClass<Env> {
  const Meshed = class extends App {
    readonly #ctx: ExecutionContext;
    readonly #env: Env;
    /** The application's handler, where it is a field of each instance; it would hide the one below. */
    readonly #field: unknown;
    constructor(ctx: ExecutionContext, env: Env) {
      super(ctx, viewOf(env, meshOf(env)));
      this.#ctx = ctx;
      this.#env = env;
      if (Object.hasOwn(this, "fetch")) {
        this.#field = Reflect.get(this, "fetch");
        Reflect.deleteProperty(this, "fetch");
      }
      meshEvents((name) => (Object.hasOwn(this, name) ? Reflect.get(this, name) : undefined), this);
    }
    override fetch(request: Request): Promise<Response> {
      const handler: unknown = this.#field ?? super.fetch;
      return arrive(request, this.#env, this.#ctx, (incoming) => {
        if (typeof handler === "function") return Reflect.apply(handler, this, [incoming]);
        return new Response("This entrypoint has no fetch handler", { status: 404 });
      });
    }
  };
  meshEvents((name) => Reflect.get(App.prototype, name), Meshed.prototype);
  return Meshed;
}

/** Puts the handlers of an entrypoint's other events on it, in meshed form, as far as there are any. */
function meshEvents(handlerOf: (name: string) => unknown, onto: object): void {
  for (const name of otherEvents) {
    const handler = handlerOf(name);
    if (typeof handler !== "function") continue;
    put(
      onto,
      name,
      function (this: { readonly env: object }, ...event: readonly unknown[]): Promise<unknown> {
        return occur(this.env, () => Reflect.apply(handler, this, event));
      },
    );
  }
}

/** Defines rather than assigns: what the application has frozen stays in force behind it, and hinders nothing. */
function put(onto: object, name: string, handler: unknown): void {
  Object.defineProperty(onto, name, { value: handler, configurable: true, enumerable: true, writable: true });
}

/** Without this compatibility flag no arriving request's signal ever fires. */
const tellsOfAborts = Cloudflare.compatibilityFlags.enable_request_signal === true;

/** Lets a request through the inbound journey to the application. */
function arrive<Env extends object>(
  request: Request,
  env: Env,
  ctx: ExecutionContext,
  app: (request: Request, env: Env) => Response | Promise<Response>,
): Promise<Response> {
  const live = meshOf(env, request);
  takeOverFetch(live);
  const arrival: Arrival = {
    request,
    bindingProps: () => propsOf(ctx),
    signal: tellsOfAborts ? request.signal : undefined,
    startedAt: Date.now(),
    background: { run: (work) => ctx.waitUntil(work) },
  };
  return live.arrive(arrival, (incoming, handling) =>
    within(env, live, handling.policy, handling, (view) => app(incoming, view)),
  );
}

/** Runs a handler that no request caused (a schedule, a queue): its calls go through the mesh, with no caller to inherit from. */
async function occur<Env extends object>(env: Env, app: (env: Env) => unknown): Promise<unknown> {
  const live = meshOf(env);
  takeOverFetch(live);
  const loaded = await live.ready();
  if (loaded instanceof Response)
    throw new Error(`The mesh is not ready in this worker: ${await loaded.text()}`);
  return within(env, live, loaded, undefined, async (view) => app(view));
}

async function within<Env extends object, Value>(
  env: Env,
  live: Mesh,
  loaded: Loaded,
  handling: Handling | undefined,
  work: (env: Env) => Value | Promise<Value>,
): Promise<Value> {
  const view = viewOf(env, live);
  return inHandling({ handling, loaded }, async () => (await withEnv(view, () => work(view))) as Value);
}

function viewOf<Env extends object>(env: Env, live: Mesh): Env {
  const held = views.get(env);
  if (held !== undefined) return held as Env;
  const view = meshedEnv(env, live);
  // An entrypoint's own environment is a view already, which is its own view.
  views.set(env, view).set(view, view);
  return view;
}

/** The props that the caller's binding carries: set only by whoever may deploy the caller. Empty over HTTP. */
function propsOf(ctx: ExecutionContext): object | undefined {
  const { props } = ctx as { props?: unknown };
  if (typeof props !== "object" || props === null || Object.keys(props).length === 0) return undefined;
  return props;
}
