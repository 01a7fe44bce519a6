import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { open, virtual } from "../support/policy-texts.ts";

const gateway = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public }
spec: { gatewayClassName: tulle, listeners: [{ name: http, protocol: HTTP, port: 80 }] }
`;

/** A route with sessions and two versions, from outside and inside the mesh. */
const canary = (weights: Readonly<Record<string, number>>, session: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec:
  parentRefs: [{ name: public }, { group: "", kind: Service, name: shop }]
  rules:
    - name: canary
      sessionPersistence: ${session}
      backendRefs:
${Object.entries(weights)
  .map(([name, weight]) => `        - { name: ${name}, port: 80, weight: ${weight} }\n`)
  .join("")}`;

const cookies = "{ cookie: { name: shop-session } }";

let mesh: TestMesh;

beforeAll(async () => {
  mesh = await startMesh({
    services: {
      web: { fetch: () => new Response("web") },
      v1: { fetch: () => new Response("v1", { headers: { "set-cookie": "own=1" } }) },
      v2: { fetch: () => new Response("v2", { headers: { "set-cookie": "own=1" } }) },
    },
    policies: [gateway, virtual("shop"), open("v1", "v2", "web"), canary({ v1: 90, v2: 10 }, cookies)],
  });
});
afterAll(() => mesh.dispose());

/** A client that sends back the cookie of its session, as a browser does. */
class Client {
  session: string | undefined;
  readonly #send: (input: string, init?: RequestInit) => Promise<Response>;

  constructor(way: { readonly fetch: TestMesh["fetch"] }) {
    this.#send = (input, init) => way.fetch(input, init);
  }

  /** Which version answered, and whether the session began with this answer. */
  async ask(
    path = "/",
  ): Promise<{ readonly version: string; readonly began: boolean; readonly cookie: string }> {
    const headers = this.session === undefined ? {} : { cookie: `other=1; ${this.session}` };
    const response = await this.#send(`http://shop${path}`, { headers });
    const cookie = response.headers.getSetCookie().find((line) => line.startsWith("shop-session=")) ?? "";
    if (cookie !== "") this.session = cookie.split(";")[0];
    expect(response.headers.getSetCookie()).toContain("own=1");
    return { version: await response.text(), began: cookie !== "", cookie };
  }
}

describe.each([
  [
    "through the gateway",
    (): Client =>
      new Client({ fetch: (input, init) => mesh.fetch(input.replace("//shop", "//shop.example.com"), init) }),
  ],
  ["inside the mesh", (): Client => new Client(mesh.from("web"))],
])("%s", (_, client) => {
  test("sessions survive a change of weights from 90/10 to 0/100, and new ones follow it", async () => {
    await mesh.apply([canary({ v1: 90, v2: 10 }, cookies)]);
    const clients = Array.from({ length: 30 }, client);
    const homes: string[] = [];
    for (const each of clients) {
      const { version, began, cookie } = await each.ask();
      expect(began).toBe(true);
      expect(cookie).toMatch(/^shop-session=[0-9a-z.]+; Path=\/; HttpOnly; SameSite=Strict$/);
      homes.push(version);
    }
    expect(homes.filter((version) => version === "v1").length).toBeGreaterThan(15);

    await mesh.apply([canary({ v1: 0, v2: 100 }, cookies)]);
    for (const [index, each] of clients.entries()) {
      for (const path of ["/", "/a", "/b"])
        expect(await each.ask(path)).toMatchObject({ version: homes[index], began: false });
    }
    for (let count = 0; count < 10; count++) expect((await client().ask()).version).toBe("v2");
  });

  test("sessions of a backend that leaves the rule begin anew elsewhere, once", async () => {
    await mesh.apply([canary({ v1: 100, v2: 0 }, cookies)]);
    const one = client();
    expect((await one.ask()).version).toBe("v1");
    await mesh.apply([canary({ v2: 100 }, cookies)]);
    expect(await one.ask()).toMatchObject({ version: "v2", began: true });
    expect(await one.ask()).toMatchObject({ version: "v2", began: false });
  });

  test("a session that somebody made up is replaced, and no error", async () => {
    await mesh.apply([canary({ v1: 100, v2: 0 }, cookies)]);
    for (const made of ["x", "v2", "a.b.c.d", "%00", "9".repeat(9_000)]) {
      const one = client();
      one.session = `shop-session=${made}`;
      expect(await one.ask()).toMatchObject({ version: "v1", began: true });
    }
  });
});

test("a session can be kept in a header, which the client sends back", async () => {
  await mesh.apply([canary({ v1: 100, v2: 0 }, "{ type: Header, header: { name: x-shop-session } }")]);
  const first = await mesh.fetch("http://shop.example.com/");
  const session = first.headers.get("x-shop-session") ?? "";
  expect(session).toMatch(/^[0-9a-z.]+$/);
  await mesh.apply([canary({ v1: 0, v2: 100 }, "{ type: Header, header: { name: x-shop-session } }")]);
  const again = await mesh.fetch("http://shop.example.com/", { headers: { "x-shop-session": session } });
  expect(await again.text()).toBe("v1");
  expect(again.headers.has("x-shop-session")).toBe(false);
  expect(await (await mesh.fetch("http://shop.example.com/")).text()).toBe("v2");
});

test("a session ends with its absoluteTimeout", async () => {
  const bounded = "{ absoluteTimeout: 10m, cookie: { name: shop-session, lifetimeType: Permanent } }";
  await mesh.apply([canary({ v1: 100, v2: 0 }, bounded)]);
  const one = new Client(mesh.from("web"));
  const first = await one.ask();
  expect(first.cookie).toContain("; Max-Age=600; ");
  await mesh.apply([canary({ v1: 0, v2: 100 }, bounded)]);
  await mesh.advance("9m");
  expect(await one.ask()).toMatchObject({ version: "v1", began: false });
  await mesh.advance("2m");
  expect(await one.ask()).toMatchObject({ version: "v2", began: true });
});

test("a session whose backend fails goes on elsewhere, and stays there", async () => {
  await mesh.apply([canary({ v1: 100, v2: 0 }, cookies)]);
  const one = new Client(mesh.from("web"));
  expect((await one.ask()).version).toBe("v1");
  await mesh.apply([canary({ v1: 50, v2: 50 }, cookies)]);
  await mesh.break("v1", { status: 503 });
  try {
    // Its own answers are the application's, until the circuit opens and the mesh takes no more there.
    let answered: string | undefined;
    for (let count = 0; count < 200 && answered !== "v2"; count++) {
      const response = await mesh
        .from("web")
        .fetch("http://shop/", { headers: { cookie: one.session ?? "" } });
      answered = response.status === 200 ? await response.text() : undefined;
      await mesh.advance("100ms");
    }
    expect(answered).toBe("v2");
    expect(await one.ask()).toMatchObject({ version: "v2", began: true });
  } finally {
    await mesh.mend("v1");
  }
  expect(await one.ask()).toMatchObject({ version: "v2", began: false });
});
