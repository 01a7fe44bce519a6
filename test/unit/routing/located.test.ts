import { describe, expect, test } from "vitest";
import { type Answer, blankNotes } from "../../../mesh-runtime/foundation/exchange.ts";
import type { Endpoint } from "../../../mesh-runtime/foundation/ports.ts";
import { no, ok } from "../../../mesh-runtime/foundation/result.ts";
import { timeout } from "../../../mesh-runtime/foundation/time-limit.ts";
import { baseEjectionMs, failuresToEject } from "../../../mesh-runtime/routing/balancing/endpoint-load.ts";
import { EndpointLoads } from "../../../mesh-runtime/routing/balancing/endpoint-loads.ts";
import { type Locating, located } from "../../../mesh-runtime/routing/located.ts";
import type { BalancingSettings, Here, Placement, Session } from "../../../mesh-runtime/routing/words.ts";
import { place, seeded, settings } from "./balancing/examples.ts";
import { message } from "./examples.ts";

interface Recipient {
  readonly endpoint: (Placement & { readonly address: Endpoint }) | undefined;
}

const at = (one: Placement, kind: "binding" | "url" = "binding"): Placement & { address: Endpoint } => ({
  ...one,
  address: kind === "url" ? { kind, url: `https://${one.name}.example` } : { kind, binding: one.name },
});

/** A destination with these endpoints, and requests to it one after the other. */
function destination(
  endpoints: readonly (Placement & { address: Endpoint })[],
  balancing: Partial<BalancingSettings> = {},
  here?: Here,
) {
  let now = 1_000;
  const choice = endpoints.map((endpoint) => ({ endpoint }));
  const recipient = {
    endpoint: endpoints[0],
    settings: { key: "shop/cart" },
    balancing: settings(balancing),
    choice: choice.length > 1 ? choice : [],
  };
  const layer = located<Recipient>({
    clock: { now: () => now },
    random: seeded(3),
    loads: new EndpointLoads(() => 0),
    here: () => here,
  });
  const send = async (
    answering: (name: string) => Answer | Promise<Answer> = () => ok(new Response("hi")),
    more: Partial<Locating<Recipient>> = {},
  ) => {
    const notes = { ...blankNotes(), endpoint: "stale" };
    let reached: string | undefined;
    const exchange = { message: message("/"), signal: undefined, notes, recipient, ...more };
    const step = layer.wrap<Locating<Recipient>>(async (below) => {
      reached = below.recipient.endpoint?.name ?? "";
      return answering(reached);
    });
    const answer = await step(exchange as Locating<Recipient>);
    return { answer, reached, notes };
  };
  const many = async (times: number, answering?: (name: string) => Answer, more = {}) => {
    const names: string[] = [];
    for (let count = 0; count < times; count++) names.push((await send(answering, more)).reached ?? "");
    return [...new Set(names)].sort();
  };
  return { send, many, advance: (ms: number) => (now += ms) };
}

const unreachable: Answer = no({
  kind: "unreachable",
  destination: "shop/cart",
  delivered: false,
  detail: "",
});
const session = (name: string): Session => ({
  pinned: {
    backend: { service: "shop/cart", weight: 0, filters: [] },
    isEndpoint: (each) => each === name,
  },
  taken: { service: "shop/cart", endpoint: "" },
});

describe("a destination with one endpoint", () => {
  test("is passed on as it is: not even the exchange is another", async () => {
    const one = at(place("a"));
    const layer = located<Recipient>({
      clock: { now: () => Number.NaN },
      random: () => Number.NaN,
      loads: new EndpointLoads(() => Number.NaN),
      here: () => undefined,
    });
    const exchange = {
      message: message("/"),
      signal: undefined,
      notes: { ...blankNotes(), endpoint: "of an earlier attempt" },
      recipient: { endpoint: one, settings: { key: "k" }, balancing: settings(), choice: [] },
    };
    let passed: unknown;
    const answering = Promise.resolve<Answer>(ok(new Response()));
    const answer = layer.wrap<Locating<Recipient>>((below) => {
      passed = below;
      return answering;
    })(exchange);
    expect(passed).toBe(exchange);
    expect(answer).toBe(answering);
    expect(exchange.notes.endpoint).toBe("");
  });

  test("is where its session is", async () => {
    const own: Session = { pinned: undefined, taken: { service: "shop/cart", endpoint: "" } };
    await destination([at(place("a"))]).send(undefined, { session: own });
    expect(own.taken?.endpoint).toBe("a");
  });
});

describe("a destination with several", () => {
  test("is reached at one of them, and the notes say which", async () => {
    const to = destination([at(place("a")), at(place("b", { weight: 0 }))]);
    const { notes, reached } = await to.send();
    expect([reached, notes.endpoint]).toEqual(["a", "a"]);
  });

  test("is tried again at another", async () => {
    const to = destination([at(place("a")), at(place("b"))]);
    expect(await to.many(20, undefined, { tried: ["shop/cart", "shop/cart a"] })).toEqual(["b"]);
    expect(await to.many(20, undefined, { tried: ["shop/other", "shop/other a"] })).toEqual(["a", "b"]);
  });

  test("leaves out what cannot be reached, until a probe of one request finds it back", async () => {
    const to = destination([at(place("a")), at(place("b"))], { algorithm: "RoundRobin" });
    const dead = (name: string) => (name === "a" ? unreachable : ok(new Response()));
    for (let count = 0; count < failuresToEject * 2; count++) await to.send(dead);
    expect(await to.many(10, dead)).toEqual(["b"]);
    to.advance(baseEjectionMs);
    expect((await to.send(dead)).reached).toBe("a");
    expect(await to.many(10, dead)).toEqual(["b"]);
    to.advance(baseEjectionMs * 2);
    expect((await to.send()).reached).toBe("a");
    expect(await to.many(10)).toEqual(["a", "b"]);
  });

  test.each([521, 522, 523, 525, 526, 530])(
    "takes a %i of the platform's fetch for an origin that cannot be reached; a service behind a binding means it itself",
    async (status) => {
      const down = (name: string) => ok(new Response(null, { status: name === "a" ? status : 200 }));
      const urls = destination([at(place("a"), "url"), at(place("b"), "url")], { algorithm: "RoundRobin" });
      await urls.many(failuresToEject * 2, down);
      expect(await urls.many(10, down)).toEqual(["b"]);
      const bindings = destination([at(place("a")), at(place("b"))], { algorithm: "RoundRobin" });
      await bindings.many(failuresToEject * 2, down);
      expect(await bindings.many(10, down)).toEqual(["a", "b"]);
    },
  );

  test("takes attempts that ran out of time for failures, unless their body was still on its way", async () => {
    const signal = AbortSignal.abort(timeout());
    const cancelled = (name: string): Answer =>
      name === "a" ? no({ kind: "cancelled" }) : ok(new Response());
    const to = destination([at(place("a")), at(place("b"))], { algorithm: "RoundRobin" });
    await to.many(failuresToEject * 2, cancelled, { signal });
    expect(await to.many(10, cancelled, { signal })).toEqual(["b"]);
    const slow = destination([at(place("a")), at(place("b"))], { algorithm: "RoundRobin" });
    const body = new ReadableStream<Uint8Array>();
    const more = { signal, message: { ...message("/"), body } };
    await slow.many(failuresToEject * 2, cancelled, more);
    expect(await slow.many(10, cancelled, more)).toEqual(["a", "b"]);
  });

  test("blames no endpoint for a caller that went away, or for what the mesh refused", async () => {
    for (const refused of [
      no({ kind: "cancelled" } as const),
      no({ kind: "body-too-large", limitBytes: 1 } as const),
      no({ kind: "mesh-not-ready", detail: "", retryAfterMs: 1 } as const),
    ]) {
      const to = destination([at(place("a")), at(place("b"))], { algorithm: "RoundRobin" });
      await to.many(20, () => refused);
      expect(await to.many(10)).toEqual(["a", "b"]);
    }
  });

  test("blames no endpoint for how long an application waits", async () => {
    const signal = AbortSignal.abort(new DOMException("over", "TimeoutError"));
    const to = destination([at(place("a")), at(place("b"))], { algorithm: "RoundRobin" });
    await to.many(20, () => no({ kind: "cancelled" }), { signal });
    expect(await to.many(10)).toEqual(["a", "b"]);
  });

  test("counts an attempt that threw as ended", async () => {
    const to = destination([at(place("a")), at(place("b"))]);
    for (let count = 0; count < 4; count++)
      await expect(to.send(() => Promise.reject(new Error("a layer broke")))).rejects.toThrow(
        "a layer broke",
      );
    expect(await to.many(20)).toEqual(["a", "b"]);
  });

  test("keeps requests together by what the policy names", async () => {
    const to = destination([at(place("a")), at(place("b")), at(place("c"))], {
      algorithm: "RingHash",
      hashOn: { type: "header", name: "x-user" },
    });
    const of = (user: string) => ({ message: { ...message("/"), headers: new Headers({ "x-user": user }) } });
    const found = new Set<string>();
    for (const user of ["ann", "bob", "cy", "dan", "eve", "fay", "gus", "hal"]) {
      const names = await to.many(5, undefined, of(user));
      expect(names).toHaveLength(1);
      found.add(names[0] ?? "");
    }
    expect(found.size).toBe(3);
  });

  test("is reached nearby", async () => {
    const to = destination(
      [at(place("a")), at(place("b", { locality: { region: "eu" } }))],
      {},
      { region: "eu" },
    );
    expect(await to.many(20)).toEqual(["b"]);
  });
});

describe("a session", () => {
  test("that a client made up chooses among the endpoints that are offered, and none that fails or is not there", async () => {
    const to = destination([at(place("a")), at(place("b", { priority: 1 })), at(place("c"))]);
    const asked = async (name: string) => (await to.many(20, undefined, { session: session(name) })).join();
    // The endpoints of a lower priority too: they are offered for when the others fail.
    expect([await asked("a"), await asked("b")]).toEqual(["a", "b"]);
    expect(await asked("elsewhere")).toBe("a,c");
    for (let count = 0; count < failuresToEject; count++)
      await to.send(() => unreachable, { session: session("b") });
    expect(await asked("b")).toBe("a,c");
  });

  test("stays at its endpoint, whatever its weight and priority", async () => {
    const to = destination([at(place("a")), at(place("b", { weight: 0, priority: 3 }))]);
    const own = session("b");
    expect(await to.many(20, undefined, { session: own })).toEqual(["b"]);
    expect(own.taken?.endpoint).toBe("b");
  });

  test("moves where its endpoint is gone or left out, and says where to", async () => {
    const to = destination([at(place("a")), at(place("b"))]);
    const gone = session("c");
    const { reached } = await to.send(undefined, { session: gone });
    expect(gone.taken?.endpoint).toBe(reached);
    const own = session("b");
    for (let count = 0; count < failuresToEject; count++) await to.send(() => unreachable, { session: own });
    expect((await to.send(undefined, { session: own })).reached).toBe("a");
    expect(own.taken?.endpoint).toBe("a");
  });
});
