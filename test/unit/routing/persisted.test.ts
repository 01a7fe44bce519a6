import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Answer } from "../../../mesh-runtime/foundation/exchange.ts";
import { no, ok } from "../../../mesh-runtime/foundation/result.ts";
import { persisted } from "../../../mesh-runtime/routing/persisted.ts";
import { pinnedIn, sessionHeader } from "../../../mesh-runtime/routing/session.ts";
import type { Backend, Session, SessionSettings } from "../../../mesh-runtime/routing/words.ts";
import { backend, message, rule } from "./examples.ts";

const now = 1_790_000_000_000;
const cookie = (more: Partial<SessionSettings> = {}): SessionSettings => ({
  type: "Cookie",
  name: "sid",
  lifetime: "Session",
  ...more,
});
const both = [backend("shop/v1"), backend("shop/v2")];

interface Sent {
  readonly settings?: SessionSettings | undefined;
  readonly backends?: readonly Backend[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly url?: string;
  readonly taken?: Session["taken"];
  readonly answering?: Answer;
  readonly at?: number;
  readonly name?: string;
  readonly destination?: string;
}

/** Sends a request through the layer; what lies below goes to where the session is, or to `taken`. */
async function through(sent: Sent = {}) {
  const { settings = cookie(), backends = both, headers = {}, url = "https://shop.example.com/cart" } = sent;
  const { taken = { service: "shop/v1", endpoint: "one" }, answering = ok(new Response("hi")) } = sent;
  const given = { ...message("/"), url: new URL(url), headers: new Headers(headers) };
  let pinned: Session["pinned"];
  const step = persisted({ clock: { now: () => sent.at ?? now } }).wrap(async (below) => {
    const session = (below as { session?: Session }).session;
    pinned = session?.pinned;
    if (session !== undefined)
      session.taken = pinned?.isEndpoint("one")
        ? { service: pinned.backend.service, endpoint: "one" }
        : taken;
    return answering;
  });
  const name = sent.name ?? "HTTPRoute/shop/cart/0";
  const matched = { match: { path: { type: "PathPrefix", value: "/" }, headers: [], query: [] } } as const;
  const answer = await step({
    message: given,
    backends,
    destination: sent.destination ?? "shop/cart",
    matched: { ...matched, rule: rule(name, [], { backends, session: settings }) },
  } as never);
  const set = answer.ok ? answer.value.headers.getSetCookie() : [];
  return { answer, pinned, set, value: /^[^=]+=([^;]*)/.exec(set[0] ?? "")?.[1] ?? "" };
}

describe("the first answer of a session", () => {
  test("sets a cookie that is safe by default, and says neither backend nor endpoint", async () => {
    const { set, value, pinned } = await through();
    expect(set).toEqual([`sid=${value}; Path=/; HttpOnly; SameSite=Strict; Secure`]);
    expect(value).toMatch(/^[0-9a-z]+(?:\.[0-9a-z]+){3}$/);
    expect(value.length).toBeLessThan(48);
    expect(value).not.toMatch(/v1|one|shop/);
    expect(pinned).toBeUndefined();
  });

  test("sets one without Secure where the client does not come by https", async () => {
    const { set } = await through({ url: "http://shop/" });
    expect(set[0]).not.toContain("Secure");
  });

  test("gives a permanent cookie its age, and another its path", async () => {
    const settings = cookie({ lifetime: "Permanent", absoluteTimeoutMs: 300_500, path: "/shop" });
    const { set } = await through({ settings });
    expect(set[0]).toMatch(/; Path=\/shop; Max-Age=301; HttpOnly/);
    const session = await through({ settings: cookie({ absoluteTimeoutMs: 300_000 }) });
    expect(session.set[0]).not.toMatch(/Max-Age|Expires/);
  });

  test("says it in a header where the rule keeps sessions in one", async () => {
    const settings: SessionSettings = { type: "Header", name: "x-session", lifetime: "Session" };
    const { answer, set } = await through({ settings });
    const value = answer.ok ? answer.value.headers.get("x-session") : null;
    expect(value).toMatch(/^[0-9a-z.]+$/);
    expect(set).toEqual([]);
    const next = await through({ settings, headers: { "X-Session": value ?? "" } });
    expect(next.pinned?.backend.service).toBe("shop/v1");
    expect(next.answer.ok && next.answer.value.headers.has("x-session")).toBe(false);
  });

  test("keeps the cookies of the application", async () => {
    const own = new Response("hi", { status: 201, headers: [["set-cookie", "a=1"]] });
    const { answer, set } = await through({ answering: ok(own) });
    expect(set[0]).toBe("a=1");
    expect(set).toHaveLength(2);
    expect(answer.ok && answer.value.status).toBe(201);
  });

  test("is none where the mesh refused, or nothing was reached", async () => {
    const refused: Answer = no({ kind: "no-route", destination: "shop/cart" });
    expect((await through({ answering: refused })).answer).toBe(refused);
  });
});

describe("a later request of the session", () => {
  test("goes to the same backend and endpoint, and its answer sets nothing", async () => {
    const { value } = await through({ taken: { service: "shop/v2", endpoint: "one" } });
    const next = await through({ headers: { cookie: `a=b; sid=${value}; c=d` } });
    expect(next.pinned?.backend).toBe(both[1]);
    expect(next.pinned?.isEndpoint("one")).toBe(true);
    expect(next.pinned?.isEndpoint("two")).toBe(false);
    expect(next.set).toEqual([]);
  });

  test("goes there though the weight is 0 now (GEP-1619)", async () => {
    const { value } = await through({ taken: { service: "shop/v2", endpoint: "one" } });
    const backends = [backend("shop/v1"), backend("shop/v2", { weight: 0 })];
    const next = await through({ backends, headers: { cookie: `sid=${value}` } });
    expect(next.pinned?.backend.service).toBe("shop/v2");
  });

  test.each([
    ["left the rule", [backend("shop/v1")]],
    ["cannot be used", [backend("shop/v1"), backend("shop/v2", { unusable: "BackendNotFound" })]],
  ])("begins anew where the backend has %s", async (_, backends) => {
    const first = await through({ taken: { service: "shop/v2", endpoint: "one" } });
    const next = await through({ backends, headers: { cookie: `sid=${first.value}` } });
    expect(next.pinned).toBeUndefined();
    expect(next.value).not.toBe("");
    expect(next.value).not.toBe(first.value);
  });

  test("begins anew where another endpoint took it", async () => {
    const { value } = await through({ taken: { service: "shop/v1", endpoint: "two" } });
    const next = await through({ headers: { cookie: `sid=${value}` } });
    expect(next.pinned?.isEndpoint("two")).toBe(true);
    expect(next.set).toHaveLength(1);
  });

  test("begins anew when its time is over, and not before", async () => {
    const settings = cookie({ absoluteTimeoutMs: 60_000 });
    const { value } = await through({ settings });
    const headers = { cookie: `sid=${value}` };
    expect((await through({ settings, headers, at: now + 59_000 })).pinned).toBeDefined();
    const over = await through({ settings, headers, at: now + 60_000 });
    expect(over.pinned).toBeUndefined();
    expect(over.set).toHaveLength(1);
  });

  test("is not believed about a time to come, but for what clocks differ", async () => {
    const { value } = await through({ at: now + 90_000 });
    expect((await through({ headers: { cookie: `sid=${value}` } })).pinned).toBeUndefined();
    expect((await through({ headers: { cookie: `sid=${value}` }, at: now + 40_000 })).pinned).toBeDefined();
  });
});

describe("rules", () => {
  test("share no session, though a document gives them one name (GEP-1619)", async () => {
    const first = await through({ name: "HTTPRoute/shop/cart/a" });
    const other = await through({ name: "HTTPRoute/shop/cart/b", headers: { cookie: `sid=${first.value}` } });
    expect(other.pinned).toBeUndefined();
    const headers = { cookie: `sid=${other.value}` };
    for (const name of ["HTTPRoute/shop/cart/a", "HTTPRoute/shop/cart/b"])
      expect((await through({ name, headers })).pinned?.backend.service).toBe("shop/v1");
  });

  test("of Services without routes are told apart by the Service", async () => {
    const first = await through({ name: "default", destination: "shop/a" });
    const headers = { cookie: `sid=${first.value}` };
    expect((await through({ name: "default", destination: "shop/b", headers })).pinned).toBeUndefined();
    expect((await through({ name: "default", destination: "shop/a", headers })).pinned).toBeDefined();
  });

  test("that share a name fill no cookie without bound", async () => {
    let value = "";
    for (let index = 0; index < 40; index++)
      value = (await through({ name: `r${index}`, headers: { cookie: `sid=${value}` } })).value;
    expect(value.split("~")).toHaveLength(8);
    expect((await through({ name: "r39", headers: { cookie: `sid=${value}` } })).pinned).toBeDefined();
    expect((await through({ name: "r0", headers: { cookie: `sid=${value}` } })).pinned).toBeUndefined();
  });

  test("without sessions are passed on as they are", async () => {
    const exchange = { message: message("/"), backends: both, destination: "d", matched: undefined };
    const answering = Promise.resolve<Answer>(ok(new Response()));
    const clock = { now: () => Number.NaN };
    const answer = persisted({ clock }).wrap((below) => {
      expect(below).toBe(exchange);
      return answering;
    })(exchange);
    expect(answer).toBe(answering);
  });
});

describe("what a client makes up", () => {
  test.each([
    "",
    "x",
    "....",
    "a.b.c",
    "a.b.c.d.e",
    "a.zzzzzzzzzzzz.c.d",
    "shop/v1",
    "~".repeat(300),
    "a".repeat(5_000),
    '"a.b.c.d"',
    "%00.é.c.d",
  ])("%j is ignored and replaced, and never an error", async (made) => {
    const { answer, pinned, set } = await through({ headers: { cookie: `sid=${encodeURI(made)}` } });
    expect(pinned).toBeUndefined();
    expect(answer.ok).toBe(true);
    expect(set).toHaveLength(1);
  });

  test("of any form leads nowhere but to a backend of the rule", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), fc.string({ maxLength: 60 }), (header, value) => {
        const get = () => `${header}; sid=${value}`;
        const pinned = pinnedIn({ get }, cookie(), "r", both, now);
        expect(pinned === undefined || both.includes(pinned.backend)).toBe(true);
        const taken = { service: "shop/v1", endpoint: "one" };
        const set = sessionHeader({ get }, cookie(), "r", taken, now, true);
        expect(set.value).toMatch(/^sid=[0-9a-z.~]+; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
        expect(set.value.length).toBeLessThan(500);
      }),
      { seed: 20260821, numRuns: 200 },
    );
  });

  /** The cookie of somebody who knows how cookies are made, and every name of the mesh. */
  const forged = (service: string, more: { readonly rule?: string; readonly at?: number } = {}): string => {
    const { rule: of = "HTTPRoute/shop/cart/0", at = now } = more;
    const { value } = sessionHeader(new Headers(), cookie(), of, { service, endpoint: "one" }, at, true);
    return value.slice(0, value.indexOf(";"));
  };
  const backends = [
    backend("shop/v1"),
    backend("shop/dark", { weight: 0 }),
    backend("shop/gone", { unusable: "BackendNotFound" }),
  ];

  test.each([
    ["shop/v1", {}, "shop/v1"],
    // What is in the rule at weight 0 is there for sessions, and whoever says that he has one is believed.
    ["shop/dark", {}, "shop/dark"],
    ["shop/gone", {}, undefined],
    ["shop/admin", {}, undefined],
    ["shop/v1", { rule: "HTTPRoute/shop/admin/0" }, undefined],
  ] as const)(
    "with every name known, for %s %j, chooses among what the rule offers: %s",
    async (service, more, reached) => {
      const { pinned } = await through({ backends, headers: { cookie: forged(service, more) } });
      expect(pinned?.backend.service).toBe(reached);
    },
  );

  test("prolongs a session of its own, so that its end is no bound for clients", async () => {
    const settings = cookie({ absoluteTimeoutMs: 60_000 });
    const at = now + 3_600_000;
    const late = await through({ settings, at, headers: { cookie: forged("shop/v1") } });
    const renewed = await through({ settings, at, headers: { cookie: forged("shop/v1", { at }) } });
    expect([late.pinned, renewed.pinned?.backend.service]).toEqual([undefined, "shop/v1"]);
  });

  test("does not hide the session behind it: several cookies may have one name (RFC 6265 §5.4)", async () => {
    const { value } = await through();
    const next = await through({ headers: { cookie: `sid=x; sid="${value}"` } });
    expect(next.pinned?.backend.service).toBe("shop/v1");
  });
});
