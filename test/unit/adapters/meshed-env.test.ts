import { describe, expect, test } from "vitest";
import { meshedEnv } from "../../../mesh-runtime/adapters/cloudflare/meshed-env.ts";
import type { Call, Loaded, LoadedDestination, Mesh } from "../../../mesh-runtime/index.ts";

/** A service binding as the platform makes it: by its tag, with one method that looks at whose it is. */
class Stub {
  readonly #native = true;
  get [Symbol.toStringTag](): string {
    return "Fetcher";
  }
  fetch(): Promise<Response> {
    return Promise.resolve(new Response("past the mesh"));
  }
  connect(address: string): string {
    return `${address} ${this.#native}`;
  }
  add(a: number, b: number): number {
    return a + b;
  }
}

const payments = { destination: "default/payments" } as LoadedDestination;
const loaded = {
  destinationByBinding: (binding: string) => (binding === "PAYMENTS" ? payments : undefined),
} as Loaded;

function meshThat(holds: Loaded | undefined): { readonly mesh: Mesh; readonly calls: Call[] } {
  const calls: Call[] = [];
  const mesh = {
    loaded: () => holds,
    depart: async (call: Call) => {
      calls.push(call);
      return new Response("through the mesh");
    },
  } as unknown as Mesh;
  return { mesh, calls };
}

const text = async (response: Promise<Response>): Promise<string> => (await response).text();

describe("meshedEnv()", () => {
  test("lets a service binding that the policy knows go through the mesh, and every other not", async () => {
    const { mesh, calls } = meshThat(loaded);
    const env = { PAYMENTS: new Stub(), OTHER: new Stub() };
    const view = meshedEnv(env, mesh) as unknown as Record<keyof typeof env, Fetcher>;
    expect(await text(view.PAYMENTS.fetch("http://payments/charge"))).toBe("through the mesh");
    expect(await text(view.OTHER.fetch("http://other/"))).toBe("past the mesh");
    expect(view.OTHER).toBe(env.OTHER);
    expect(calls.map(({ message }) => message.url.href)).toEqual(["http://payments/charge"]);
  });

  test("knows service bindings by their tag: a KV namespace of the same name is untouched", () => {
    const env = { PAYMENTS: { fetch: () => "not a service", [Symbol.toStringTag]: "KvNamespace" } };
    expect(meshedEnv(env, meshThat(loaded).mesh).PAYMENTS).toBe(env.PAYMENTS);
  });

  test("is the platform's own before the first join", () => {
    const env = { PAYMENTS: new Stub() };
    expect(meshedEnv(env, meshThat(undefined).mesh).PAYMENTS).toBe(env.PAYMENTS);
  });

  test("gives the same object each time, with the binding's RPC methods and its connect()", () => {
    const view = meshedEnv({ PAYMENTS: new Stub() }, meshThat(loaded).mesh);
    expect(view.PAYMENTS).toBe(view.PAYMENTS);
    expect(view.PAYMENTS.fetch).toBe(view.PAYMENTS.fetch);
    const { add } = view.PAYMENTS;
    expect(add(1, 2)).toBe(3);
    expect(view.PAYMENTS.connect("payments:80")).toBe("payments:80 true");
  });

  test("rejects what the platform rejects, and throws nothing at once", async () => {
    const { mesh, calls } = meshThat(loaded);
    const view = meshedEnv({ PAYMENTS: new Stub() }, mesh) as unknown as { PAYMENTS: Fetcher };
    await expect(view.PAYMENTS.fetch("/no-origin")).rejects.toThrow(TypeError);
    const reason = new RangeError("before");
    await expect(view.PAYMENTS.fetch("http://payments/", { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    expect(calls).toHaveLength(1);
  });
});
