import { describe, expect, test } from "vitest";
import { sessionHeader } from "../../../mesh-runtime/routing/session.ts";
import { backend, match, prefix, rule } from "../routing/examples.ts";
import { asWeb, atService, endings, now, question } from "./explaining.ts";

describe("filters", () => {
  test("are told in order, with what each makes of the request", () => {
    const answer = asWeb("http://shop/change/it?x=1", { headers: { "x-a": "0", "x-b": "2" } });
    expect(answer.filters).toEqual([
      { type: "RequestHeaderModifier", text: "sets x-a: 1 (was 0); removes x-b" },
      { type: "URLRewrite", text: "makes it http://shop/v2/it?x=1", url: "http://shop/v2/it?x=1" },
      { type: "ResponseHeaderModifier", text: "of the answer: adds x-c: 3" },
    ]);
    expect(answer.backends[0]?.url).toBe("http://shop/v2/it?x=1");
  });

  test("that redirect answer in place of a backend", () => {
    const answer = asWeb("http://shop/old/things?x=1");
    expect(endings(answer)).toEqual(["1 - 301 http://shop/new/things?x=1"]);
    expect(answer).toMatchObject({ served: 1, backends: [] });
  });

  test("answer a preflight, which falls under the rule of what it asks for", () => {
    const cors = {
      type: "CORS",
      allowOrigins: ["https://a.example"],
      allowCredentials: false,
      allowMethods: ["PUT"],
      allowHeaders: [],
      exposeHeaders: [],
      maxAgeSeconds: 5,
    } as const;
    const rules = [rule("put", [match(prefix("/"), { method: "PUT" })], { filters: [cors] })];
    const preflight = (origin: string) =>
      atService(
        rules,
        question("http://shop/", {
          method: "OPTIONS",
          headers: { origin, "access-control-request-method": "PUT" },
        }),
      );
    const allowed = preflight("https://a.example");
    expect(allowed.rule).toBe("put");
    expect(endings(allowed)).toEqual(["1 - 204 undefined"]);
    expect(allowed.filters[0]?.text).toContain("access-control-allow-methods: PUT");
    expect(allowed.notes[0]).toContain("preflight");
    expect(preflight("https://b.example").filters[0]?.text).toContain("https://b.example is not among");
  });

  test("that copy say where to, how much, or why not", () => {
    const mirror = { type: "RequestMirror", service: "default/v2", numerator: 1, denominator: 4 } as const;
    const rules = [
      rule("copied", [match(prefix("/"))], {
        filters: [mirror, { ...mirror, service: "default/gone", unusable: "BackendNotFound" }],
      }),
    ];
    expect(atService(rules, question("http://shop/")).filters.map(({ text }) => text)).toEqual([
      "a copy of 25% of the requests goes to default/v2 too; its answer is ignored",
      "copies nothing to default/gone: BackendNotFound",
    ]);
  });
});

describe("a session", () => {
  const session = {
    type: "Header",
    name: "x-session",
    lifetime: "Session",
    absoluteTimeoutMs: 60_000,
  } as const;
  const kept = rule("HTTPRoute/default/kept/0", [match(prefix("/"))], {
    backends: [backend("default/v1", { weight: 1 }), backend("default/v2", { weight: 0 })],
    session,
  });
  const saying = (since: number) => {
    const taken = { service: "default/v2", endpoint: "V2" };
    const { value } = sessionHeader(new Headers(), session, kept.name, taken, since, false);
    return atService([kept], question("http://shop/", { headers: { "x-session": value } }));
  };

  test("that is known takes the request where it was before, whatever the weights", () => {
    const answer = saying(now - 1_000);
    expect(answer).toMatchObject({ session, pinned: { service: "default/v2", endpoint: "V2" } });
    expect(endings(answer)).toEqual(["1 default/v2 reached"]);
  });

  test("that has ended does not", () => {
    const answer = saying(now - 60_000);
    expect(answer).not.toHaveProperty("pinned");
    expect(endings(answer)).toEqual(["1 default/v1 reached"]);
  });
});
