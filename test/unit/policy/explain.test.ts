import { describe, expect, test } from "vitest";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import { explainCall } from "../../../mesh-runtime/policy/explain.ts";
import type { LoadedDestination } from "../../../mesh-runtime/policy/loaded.ts";
import { destinationTable } from "../../../mesh-runtime/policy/port-table.ts";
import { backend, expression, match, named, prefix, rule } from "../routing/examples.ts";
import {
  type Asking,
  asWeb,
  atService,
  endings,
  fateOf,
  fromOutside,
  question,
  surroundings,
  texts,
  web,
} from "./explaining.ts";
import { documents, route } from "./writing.ts";

describe("the rule that wins", () => {
  test("is told with why the others did not", () => {
    const answer = asWeb("http://shop/charge/refund", { method: "POST", headers: { "x-tenant": "a" } });
    expect(answer.rule).toBe("HTTPRoute/default/shop/charge");
    expect(fateOf(answer, "charge")).toEqual({ kind: "wins" });
    expect(fateOf(answer, "refund")).toEqual({
      kind: "no match",
      unmet: [{ on: "header", name: "x-tenant", text: "header x-tenant must be b, is a" }],
    });
    expect(fateOf(answer, "move")).toMatchObject({
      unmet: [{ on: "path", text: "path /old is no prefix of /charge/refund" }],
    });
    expect(answer.candidates.map(({ rank }) => rank)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  test("is behind none that holds: the other is told to be of lower precedence, and in what", () => {
    const answer = asWeb("http://shop/charge/refund", { method: "POST", headers: { "x-tenant": "b" } });
    expect(answer.rule).toBe("HTTPRoute/default/shop/refund");
    expect(fateOf(answer, "charge")).toEqual({
      kind: "lower precedence",
      because: "longer path",
      text: "lower precedence: shorter prefix",
    });
  });

  test("may be none: every match then says what it lacks", () => {
    const answer = asWeb("http://shop/charge");
    expect(answer.rule).toBeUndefined();
    expect(fateOf(answer, "charge")).toMatchObject({
      unmet: [{ on: "method", text: "method must be POST, is GET" }],
    });
    expect(endings(answer)).toEqual(["1 - 404 no-route: no rule of default/shop matches"]);
    expect(answer.served).toBe(0);
  });

  test("is the default one of a service without routes", () => {
    const answer = asWeb("http://v1/x");
    expect(answer).toMatchObject({ rule: "default", candidates: [], addressed: { routes: "none" } });
    expect(endings(answer)).toEqual(["1 default/v1 reached"]);
  });

  test("repeats no credential of the request", () => {
    const rules = [rule("secret", [match(prefix("/"), { headers: named({ authorization: "Bearer a" }) })])];
    const answer = atService(rules, question("http://shop/", { headers: { authorization: "Bearer mine" } }));
    expect(JSON.stringify(answer)).not.toContain("mine");
    expect(answer.candidates[0]?.fate).toMatchObject({
      unmet: [{ text: "header authorization must be Bearer a, is another one" }],
    });
  });
});

describe("backends", () => {
  test("have their shares, and the rule that lets the caller in", () => {
    const answer = asWeb("http://shop/charge", { method: "POST" });
    expect(endings(answer)).toEqual(["0.9 default/v1 reached", "0.1 default/v2 reached"]);
    expect(answer.served).toBe(1);
    expect(answer.backends).toMatchObject([
      {
        share: 0.9,
        endpoints: [
          {
            address: "binding V1",
            evidence: "signature",
            proof: "signature",
            access: { allowed: true, rule: "AuthorizationPolicy/default/web-may/0" },
          },
        ],
      },
      { share: 0.1, endpoints: [{ evidence: "binding", proof: "binding", access: { allowed: true } }] },
    ]);
  });

  test("that deny, or allow nobody, refuse by name", () => {
    expect(endings(asWeb("http://v2/", { method: "DELETE" }))).toEqual([
      "1 default/v2 403 denied: AuthorizationPolicy/default/no-deleting/0",
    ]);
    expect(endings(asWeb("http://alone/"))).toEqual([
      "1 default/alone 403 denied: default: no ALLOW rule matched",
    ]);
  });

  test("that cannot be used keep their share, and it is refused", () => {
    const answer = asWeb("http://shop/half");
    expect(endings(answer)).toEqual([
      "0.5 default/v1 reached",
      "0.5 default/empty 500 no-backend: default/empty cannot be used: VirtualBackend",
    ]);
    expect(answer.served).toBe(0.5);
  });

  test("may be none, or have no weight", () => {
    expect(endings(asWeb("http://shop/nobody"))).toEqual(["1 - 500 no-backend: the rule names no backend"]);
    expect(endings(asWeb("http://shop/off"))).toEqual([
      "1 - 500 no-backend: no backend of the rule has weight",
    ]);
    expect(endings(asWeb("http://empty/"))).toEqual([
      "1 default/empty 503 unreachable: default/empty has no endpoint: it only routes to others",
    ]);
  });

  test("behind an open circuit are not reached, and others take what falls to them", () => {
    const circuits = { "default/v1": "open", "default/v2": "closed" };
    const answer = asWeb("http://shop/charge", { method: "POST", circuits });
    expect(endings(answer)).toEqual([
      "0.9 default/v1 503 circuit-open: the circuit of default/v1 is open",
      "0.1 default/v2 reached",
    ]);
    expect(answer.notes[0]).toContain("goes to another backend");
    expect(answer.backends[0]?.circuit?.seen).toEqual({ state: "open", sinceMs: 5_000 });
  });
});

describe("limits", () => {
  test("come from the route, and from the mesh for the rest", () => {
    const { limits } = asWeb("http://shop/charge", { method: "POST" });
    expect(limits).toMatchObject({
      requestTimeoutMs: { value: 2_000, from: "route" },
      tryTimeoutMs: { value: 0, from: "mesh" },
      retry: { attempts: { value: 2, from: "route" }, codes: { value: [503], from: "route" } },
    });
  });

  test("say whether an answer would be tried again: not after a write, unless it carries a key", () => {
    const retried = (asking: Asking) => asWeb("http://shop/charge", asking).limits?.retry.afterAnswer;
    expect(retried({ method: "POST" })).toMatchObject({
      retried: false,
      reason: "it may have been processed, and the method is not idempotent",
    });
    expect(retried({ method: "POST", headers: { "idempotency-key": "1" } })).toEqual({
      retried: true,
      reason: "",
    });
  });
});

describe("a request from outside", () => {
  test("comes in at the listener with the most specific hostname, and falls under what is bound there", () => {
    const answer = fromOutside("http://shop.example.com/buy");
    expect(answer.addressed).toEqual({
      kind: "listener",
      listener: "default/public/shop",
      protocol: "HTTP",
      port: 80,
      hostname: "*.example.com",
      bound: "shop.example.com",
    });
    expect(answer.rule).toBe("HTTPRoute/default/entrance/0");
    expect(endings(answer)).toEqual(["1 default/v1 403 denied: default: no ALLOW rule matched"]);
  });

  test("is not found where nothing is bound to its host", () => {
    expect(endings(fromOutside("http://other.example.com/buy"))).toEqual([
      "1 - 404 no-route: no rule of default/public/shop matches",
    ]);
  });
});

test("the ports that routes name have rules of their own, and the rest falls to the service", () => {
  const rules = (name: string) => [rule(name, [match(prefix("/"))], { backends: [backend("default/v1")] })];
  const shop = web.destination("default/shop");
  if (shop === undefined) throw new Error("there is no shop");
  const { rules: _, ...others } = shop.settings;
  const settings = { ...others, portRules: { "8080": rules("HTTPRoute/default/a/0") } };
  const table = destinationTable(settings);
  const destination: LoadedDestination = { ...shop, settings, ...(table === undefined ? {} : { table }) };
  const at = (url: string) => explainCall(web, destination, question(url), surroundings);
  expect(at("http://shop:8080/").rule).toBe("HTTPRoute/default/a/0");
  expect(at("http://shop/")).toMatchObject({ rule: "default", addressed: { port: 80, routes: "none" } });
});

test("a request that takes too long to compare with expressions falls under no rule, and is not compared with each", () => {
  const shop = web.destination("default/shop");
  if (shop === undefined) throw new Error("there is no shop");
  const long = rule("HTTPRoute/default/long/0", [match(expression("/[ab]*a[ab]{900}"))]);
  const all = rule("HTTPRoute/default/all/0", [match(prefix("/"))], { backends: [backend("default/v1")] });
  const settings = { ...shop.settings, rules: [long, all] };
  const table = destinationTable(settings);
  const destination: LoadedDestination = { ...shop, settings, ...(table === undefined ? {} : { table }) };
  const at = (path: string) => explainCall(web, destination, question(`http://shop/${path}`), surroundings);
  expect(at("ab").rule).toBe("HTTPRoute/default/all/0");
  const answer = at("ab".repeat(4_000));
  expect(answer).toMatchObject({ candidates: [], backends: [], served: 0 });
  expect(answer.rule).toBeUndefined();
  expect(endings(answer)).toEqual([
    "1 - 414 too-long-to-match: comparing its URL with the regular expressions of default/shop takes more than 500000 steps",
  ]);
});

test("routes of another namespace are told to be those of the caller or of the owner", () => {
  expect(asWeb("http://billing.money/").addressed).toMatchObject({ routes: "producer" });
  const consumer = compile(
    documents(
      ...texts,
      route("mine", "name: billing, namespace: money", "[{backendRefs: [{name: v1, port: 80}]}]"),
    ),
  ).get("default/web")?.destinations["money/billing"];
  expect(consumer?.rules?.[0]?.name).toBe("HTTPRoute/default/mine/0");
});
