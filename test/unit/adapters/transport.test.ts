import { describe, expect, test } from "vitest";
import { transportOver } from "../../../mesh-runtime/adapters/cloudflare/transport.ts";
import { httpTransport } from "../../../mesh-runtime/adapters/web/transport.ts";
import { type Endpoint, TransportFailure } from "../../../mesh-runtime/foundation/ports.ts";

/**
 * A stand-in for a dispatch namespace of Workers for Platforms, which runs on Cloudflare's network alone: `get()`
 * always answers, and that there is no worker of a name turns out when it is called, in the platform's words.
 */
const standIn = (workers: Readonly<Record<string, (request: Request) => Response>>) => ({
  get: (name: string) => ({
    fetch: async (request: Request): Promise<Response> => {
      const worker = workers[name];
      if (worker === undefined) throw new Error("Worker not found.");
      return worker(request);
    },
  }),
});

const never: typeof fetch = () => Promise.reject(new Error("nobody is to be fetched"));
const dispatch = (binding: string, worker: string): Endpoint => ({ kind: "dispatch", binding, worker });
const request = () => new Request("http://shop/cart?a=1");

describe("a worker of a dispatch namespace", () => {
  const env = {
    TENANTS: standIn({
      acme: ({ url }) => new Response(`acme at ${url}`),
      broken: () => {
        throw new Error("its own fault");
      },
    }),
    TEXT: "no namespace",
  };
  const transport = transportOver(env, never);

  test("is called by its name in the namespace, with the request as it is", async () => {
    const answer = await transport.send(dispatch("TENANTS", "acme"), request());
    expect(await answer.text()).toBe("acme at http://shop/cart?a=1");
  });

  test("that is not there was not delivered to, so that anything may be tried again", async () => {
    const sending = transport.send(dispatch("TENANTS", "nobody"), request());
    await expect(sending).rejects.toBeInstanceOf(TransportFailure);
    await expect(sending).rejects.toThrow("has no worker named nobody");
  });

  test("that fails itself may have been delivered to", async () => {
    const sending = transport.send(dispatch("TENANTS", "broken"), request());
    await expect(sending).rejects.toThrow("its own fault");
    await expect(sending).rejects.not.toBeInstanceOf(TransportFailure);
  });

  test.each(["MISSING", "TEXT"])("needs a namespace: %s is none", async (binding) => {
    await expect(transport.send(dispatch(binding, "acme"), request())).rejects.toThrow(
      `no dispatch namespace named ${binding}; add [[dispatch_namespaces]]`,
    );
  });

  test("is nobody whose word about the mesh is heard, unlike a service binding's", () => {
    expect(transport.vouchesFor(dispatch("TENANTS", "acme"))).toBe(false);
    expect(transport.vouchesFor({ kind: "binding", binding: "CART" })).toBe(true);
    expect(transport.vouchesFor({ kind: "url", url: "https://a.example" })).toBe(false);
  });

  test("is out of reach where there are no bindings", async () => {
    const web = httpTransport(never);
    // It throws at once; the step that sends catches either.
    await expect((async () => web.send(dispatch("TENANTS", "acme"), request()))()).rejects.toBeInstanceOf(
      TransportFailure,
    );
  });
});
