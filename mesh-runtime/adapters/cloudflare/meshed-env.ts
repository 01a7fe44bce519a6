import type { Mesh } from "../../index.ts";
import { call, type Way } from "../fetch/calls.ts";

/**
 * The environment as the application sees it: service bindings that the policy knows go through the mesh,
 * everything else is the platform's own object, untouched.
 */
export function meshedEnv<Env extends object>(env: Env, mesh: Mesh): Env {
  const stubs = new Map<string, { readonly of: object; readonly stub: object }>();
  return new Proxy(env, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof key !== "string" || mesh.loaded()?.destinationByBinding(key) === undefined) return value;
      const held = stubs.get(key);
      if (held !== undefined && held.of === value) return held.stub;
      if (!isServiceStub(value)) return value;
      const stub = meshedStub(value, key, mesh);
      stubs.set(key, { of: value, stub });
      return stub;
    },
  });
}

/** A service binding whose `fetch` goes through the mesh. RPC methods are the platform's own. */
function meshedStub(stub: object, binding: string, mesh: Mesh): object {
  const way: Way = { destination: (loaded) => loaded.destinationByBinding(binding) };
  const fetchThroughMesh = (input: RequestInfo | URL, init?: RequestInit): Promise<Response> =>
    call(mesh, way, input, init);
  return new Proxy(stub, {
    get(target, key) {
      if (key === "fetch") return fetchThroughMesh;
      const value: unknown = Reflect.get(target, key, target);
      // The other method of the platform's own looks at whose it is; RPC methods do not.
      return key === "connect" && typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** By its tag: a service stub answers every property name with a method, so that asking for members tells nothing. */
const isServiceStub = (value: unknown): value is object =>
  Object.prototype.toString.call(value) === "[object Fetcher]";
