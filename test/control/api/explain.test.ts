import { reset } from "cloudflare:test";
import { beforeEach, describe, expect, test } from "vitest";
import type { ExplainAnswer, ExplainRequest } from "../../../control/api/contract.ts";
import { api, apply, permission, reportRequest, route, service, workload } from "../support.ts";

beforeEach(() => reset());

interface Problem {
  readonly title: string;
  readonly detail: string;
}

const explain = (request: Partial<ExplainRequest>) =>
  api<ExplainAnswer & Problem>("POST", "/api/explain", { method: "GET", headers: [], ...request });

/** Applies documents that must be right. */
async function applied(...texts: string[]): Promise<void> {
  const { status, body } = await apply(...texts);
  expect(status, JSON.stringify(body.issues)).toBe(200);
}

const gateway = (name: string, listeners: string, annotation = ""): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: ${name}${annotation} }
spec: { gatewayClassName: tulle, listeners: ${listeners} }
`;

const entry = (name: string, parent: string, backend: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name} }
spec: { parentRefs: [{ name: ${parent} }], rules: [{ backendRefs: [{ name: ${backend}, port: 80 }] }] }
`;

const shop = [
  service("web"),
  service("payments", "  virtual: true\n"),
  service("payments-v1"),
  permission("payments-v1", "web"),
  route("payments", "payments", "payments-v1"),
];

describe("a call of a workload", () => {
  test("is explained by the policy that the workload runs, with the rule that lets it in", async () => {
    await applied(...shop);
    const { status, body } = await explain({ from: "web", url: "http://payments/charge" });
    expect(status, JSON.stringify(body)).toBe(200);
    expect(body).toMatchObject({
      epoch: 1,
      caller: { service: "default/web" },
      rule: "HTTPRoute/default/payments/0",
      served: 1,
      backends: [
        {
          service: "default/payments-v1",
          endpoints: [{ access: { allowed: true, rule: "AuthorizationPolicy/default/payments-v1/0" } }],
        },
      ],
      endings: [{ share: 1, service: "default/payments-v1", fate: { kind: "reached" } }],
    });
  });

  test("that nobody allowed is told to be denied", async () => {
    await applied(...shop, service("cart"));
    const { body } = await explain({ from: "default/cart", url: "http://payments/charge" });
    expect(body).toMatchObject({ served: 0, endings: [{ fate: { status: 403, problem: "denied" } }] });
  });

  test("follows a change of policy at once", async () => {
    await applied(...shop, service("payments-v2"));
    await applied(route("payments", "payments", "payments-v2"));
    const { body } = await explain({ from: "web", url: "http://payments/charge" });
    expect(body).toMatchObject({ epoch: 2, backends: [{ service: "default/payments-v2" }] });
  });

  test("knows what the circuit's authority knows", async () => {
    await applied(...shop);
    const circuit = "default/payments-v1";
    const circuits = [
      { circuit, success: 0, failure: 100, overload: 0, evidence: true, incarnation: 0, epoch: 0 },
    ];
    await workload({ service: "web" }).report(reportRequest("default/web", { circuits }));
    const { body } = await explain({ from: "web", url: "http://payments/" });
    expect(body.backends[0]?.circuit?.seen).toMatchObject({ state: expect.any(String) });
  });
});

describe("a request from outside", () => {
  const outside = [
    service("gateway"),
    service("web"),
    permission("web", "gateway"),
    gateway(
      "public",
      '[{ name: http, protocol: HTTP, port: 80 }, { name: shop, protocol: HTTP, port: 80, hostname: "*.example.com" }]',
    ),
    entry("public", "public", "web"),
  ];

  test("is explained at the listener that takes its host, by the policy of the gateway's worker", async () => {
    await applied(...outside);
    const { status, body } = await explain({ url: "http://shop.example.com/" });
    expect(status, JSON.stringify(body)).toBe(200);
    expect(body).toMatchObject({
      caller: { service: "default/gateway" },
      addressed: { listener: "default/public/shop", hostname: "*.example.com" },
      served: 1,
    });
    const other = await explain({ url: "http://elsewhere.example/" });
    expect(other.body.addressed).toMatchObject({ listener: "default/public/http" });
  });

  test("says the host by the header, as curl does, and no claim of a client's is heard", async () => {
    const forwarded = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: forwarded }
spec:
  parentRefs: [{ name: public }]
  rules:
    - matches: [{ headers: [{ name: x-forwarded-for, value: "10.0.0.1" }] }]
      backendRefs: [{ name: web, port: 80 }]
`;
    await applied(...outside, forwarded);
    const { body } = await explain({
      url: "http://127.0.0.1:8787/",
      headers: [
        { name: "host", value: "shop.example.com" },
        { name: "x-forwarded-for", value: "10.0.0.1" },
      ],
    });
    expect(body).toMatchObject({
      url: "http://shop.example.com:8787/",
      addressed: { listener: "default/public/shop" },
      rule: "HTTPRoute/default/public/0",
    });
  });

  test.each(["public", "default/public", "public/http", "default/public/http"])(
    "may name its gateway as %s, and is told where it comes in if that is elsewhere",
    async (via) => {
      await applied(...outside);
      const { status, body } = await explain({ via, url: "http://shop.example.com/" });
      expect(status, JSON.stringify(body)).toBe(200);
      expect(body.addressed).toMatchObject({ listener: "default/public/shop" });
      expect(body.notes.some((note) => note.includes("not at default/public/http"))).toBe(
        via.endsWith("/http"),
      );
    },
  );

  test("must say by which gateway where several could let it in", async () => {
    await applied(
      ...outside,
      service("side"),
      gateway(
        "private",
        "[{ name: http, protocol: HTTP, port: 80 }]",
        ", annotations: { mesh.tulle.dev/worker: side }",
      ),
    );
    const { status, body } = await explain({ url: "http://any.example/" });
    expect([status, body.detail]).toEqual([
      400,
      expect.stringContaining("(default/public, default/private)"),
    ]);
    expect((await explain({ via: "private", url: "http://any.example/" })).body).toMatchObject({
      caller: { service: "default/side" },
    });
  });

  test("at a port that only listeners of other hosts have, is told where its own listener is", async () => {
    const ports =
      "[{ name: plain, protocol: HTTP, port: 80, hostname: a.example }, { name: secure, protocol: HTTPS, port: 443, hostname: b.example }]";
    await applied(service("gateway"), gateway("public", ports));
    const { status, body } = await explain({ url: "http://b.example/" });
    expect([status, body.detail]).toEqual([
      404,
      expect.stringContaining("default/public/secure on port 443 does"),
    ]);
  });

  test("to a name that is a service's is told to be one from outside", async () => {
    await applied(...outside);
    const { body } = await explain({ url: "http://web/" });
    expect(body.notes).toEqual([expect.stringContaining("default/web is a service of the mesh as well")]);
  });
});

describe("what cannot be explained", () => {
  test.each([
    ["an unknown sender", { from: "wbe", url: "http://payments/" }, 404, 'did you mean "web"?'],
    ["a sender without a worker", { from: "payments", url: "http://web/" }, 404, "nobody calls as"],
    [
      "a host that is no service's",
      { from: "web", url: "http://paymnets/" },
      404,
      'did you mean "payments"?',
    ],
    ["a host outside", { from: "web", url: "https://api.example.com/" }, 404, "leaves the mesh as it is"],
    ["a gateway that is none", { via: "public", url: "http://a.example/" }, 404, "No worker implements"],
    ["a host that no gateway takes", { url: "http://payments/" }, 404, "default/payments is a service"],
    ["a URL that is none", { from: "web", url: "payments" }, 400, "http or https URL"],
    ["another scheme", { from: "web", url: "ftp://payments/" }, 400, "http or https URL"],
    ["a URL with a password", { from: "web", url: "http://me:secret@payments/" }, 400, "without user"],
    ["two senders", { from: "web", via: "public", url: "http://payments/" }, 400, "exclude each other"],
    ["a method that is none", { from: "web", method: "GET /", url: "http://payments/" }, 400, "method"],
    [
      "a header's name that is none",
      { from: "web", url: "http://payments/", headers: [{ name: "x tenant", value: "a" }] },
      400,
      "headers[0].name",
    ],
    [
      "a header's value that is none",
      { from: "web", url: "http://payments/", headers: [{ name: "x-tenant", value: "a\nb" }] },
      400,
      "headers[0].value",
    ],
    [
      "too many headers",
      { from: "web", url: "http://payments/", headers: Array(65).fill({ name: "x-a", value: "a" }) },
      400,
      "a list of at most 64",
    ],
  ] as const)("%s is answered with what is wrong", async (_what, request, status, words) => {
    await applied(...shop);
    const answer = await explain(request);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect([answer.status, answer.body.detail]).toEqual([status, expect.stringContaining(words)]);
    expect(JSON.stringify(answer.body)).not.toContain("secret");
  });
});
