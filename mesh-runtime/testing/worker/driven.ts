import type { WorkerEntrypoint } from "cloudflare:workers";
import { isMeshed, mesh } from "../../adapters/cloudflare/index.ts";
import { type Fault, strike } from "./fault.ts";

type Handlers = ExportedHandler<object>;
type EntrypointClass = new (ctx: ExecutionContext, env: object) => WorkerEntrypoint<object>;

/** A worker's default export under test: in the mesh if it is not yet, and breakable from outside of it. */
export function driven(app: Handlers | EntrypointClass): Handlers | EntrypointClass {
  if (isMeshed(app)) return breakable(app);
  return breakable(typeof app === "function" ? mesh(app) : mesh(app));
}

/** A worker's default export, breakable, and otherwise as it is. */
export function breakable(app: Handlers | EntrypointClass): Handlers | EntrypointClass {
  if (typeof app !== "function") {
    const { fetch } = app;
    if (fetch === undefined) return app;
    const broken: Handlers["fetch"] = async (request, env, ctx) =>
      (await stricken(strike())) ?? fetch.call(app, request, env, ctx);
    return Object.create(app, { fetch: { value: broken, enumerable: true } }) as Handlers;
  }
  return class extends app {
    override async fetch(request: Request): Promise<Response> {
      const broken = await stricken(strike());
      if (broken !== undefined) return broken;
      if (super.fetch === undefined)
        return new Response("This entrypoint has no fetch handler", { status: 404 });
      return super.fetch(request);
    }
  };
}

/** An entrypoint whose RPC methods break with its worker: they are as slow, and throw where a request would get a status. */
export function breakableRpc(App: EntrypointClass): EntrypointClass {
  const Breakable = class extends App {};
  for (const name of Object.getOwnPropertyNames(App.prototype)) {
    const method: unknown = Reflect.get(App.prototype, name);
    if (name === "constructor" || typeof method !== "function") continue;
    const broken = async function (this: unknown, ...args: readonly unknown[]): Promise<unknown> {
      if ((await stricken(strike())) !== undefined) throw new Error("broken for a test");
      return Reflect.apply(method, this, args);
    };
    Object.defineProperty(Breakable.prototype, name, { value: broken });
  }
  return Breakable;
}

async function stricken(fault: Fault | undefined): Promise<Response | undefined> {
  if (fault === undefined) return undefined;
  if (fault.latencyMs !== undefined) await scheduler.wait(fault.latencyMs);
  return fault.status === undefined ? undefined : new Response("broken for a test", { status: fault.status });
}
