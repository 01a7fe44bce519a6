import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readOptions } from "../../examples/shop/demo/options.ts";
import { type Demo, demoPorts, type Ports, refusedDemo, startDemo } from "../support/demo.ts";
import { root } from "../support/imports.ts";
import { alive, below } from "../support/processes.ts";

const run = promisify(execFile);

let state: string;
let ports: Ports;
let demo: Demo;

beforeAll(async () => {
  state = mkdtempSync(path.join(tmpdir(), "tulle-demo-"));
  ports = await demoPorts();
  demo = await startDemo({ state, ports });
});
afterAll(async () => {
  await demo.end("SIGKILL");
  rmSync(state, { recursive: true, force: true });
});

/** A visitor with a cookie. */
function visitor() {
  let cookie = "";
  return async (at: string, init: RequestInit = {}): Promise<Response> => {
    const response = await fetch(demo.shop + at, { ...init, headers: { ...init.headers, cookie } });
    cookie = response.headers.get("set-cookie")?.split(";")[0] ?? cookie;
    return response;
  };
}

const put = (good: string): RequestInit => ({ method: "POST", body: JSON.stringify({ good }) });

async function revision(): Promise<number> {
  const [command = "", ...words] = demo.tulle;
  const { stdout } = await run(command, [...words, "status", "-o", "json"], { cwd: root });
  return (JSON.parse(stdout) as { revision: number }).revision;
}

describe("`npm start`", () => {
  test("is ready within ten seconds, and the addresses that it prints answer", async () => {
    expect(demo.readyAfterMs).toBeLessThan(10_000);
    expect(demo.greeting).toContain(`shop      ${demo.shop}\n`);
    expect(demo.greeting).toContain(`control   ${demo.control}\n`);
    expect(demo.greeting).toContain("shipping  runs on Deno and has joined over HTTP");
    expect((await fetch(demo.shop)).status).toBe(200);
    expect((await fetch(`${demo.control}/api/status`)).status).toBe(401);
  });

  test("each of the three things to try works when it is pasted", async () => {
    const lines = demo.greeting.split("\n").filter((line) => /^ {2}(?:npx|curl) /.test(line));
    expect(lines).toHaveLength(3);
    const printed: string[] = [];
    for (const line of lines) printed.push((await run("bash", ["-c", line], { cwd: root })).stdout);
    const [status = "", curl = "", applied = ""] = printed;
    expect(status).toMatch(/default\/shipping +SYNCED/);
    expect(JSON.parse(curl)).toMatchObject({ version: "v2", fail: 1 });
    expect(applied).toMatch(/HTTPRoute\/default\/payments +changed/);
    await fetch(`${demo.shop}/demo/payments-v2/switch?fail=0`, { method: "PUT" });
  });

  test("the shop sells: goods, a cart, a payment, a shipment from Deno, each known by its name", async () => {
    const visit = visitor();
    const goods = (await (await visit("/api/goods")).json()) as { id: string }[];
    expect(goods.map(({ id }) => id)).toContain("silk");
    expect((await visit("/api/cart", put("silk"))).status).toBe(200);
    const paid = await visit("/api/checkout", { method: "POST" });
    expect(await paid.json()).toMatchObject({
      payment: { amountCents: 2_900, chargedBy: "spiffe://mesh.local/ns/default/sa/cart" },
      shipment: { weightGrams: 20, orderedBy: "spiffe://mesh.local/ns/default/sa/cart" },
    });
    expect(await (await visit("/api/cart")).json()).toEqual({ items: [] });
  });

  test("a second one beside it says which port is taken and how to choose another, and changes nothing", async () => {
    const before = below(process.pid).length;
    const refused = await refusedDemo({ state, ports, more: ["--fresh"] });
    expect(refused.code).toBe(1);
    expect(refused.printed).toContain(`Port ${ports.port} is in use`);
    expect(refused.printed).toContain(`npm start -- --port ${ports.port + 100}`);
    expect(below(process.pid).length).toBe(before);
    expect((await fetch(demo.shop)).status).toBe(200);
  });

  test("what was in the cart and which policy was in force are there again after a restart", async () => {
    const visit = visitor();
    await visit("/api/cart", put("cotton"));
    const before = await revision();
    expect(await demo.end("SIGTERM")).toBe(0);
    expect(demo.children.filter(alive)).toEqual([]);

    demo = await startDemo({ state, ports, more: ["--traffic", "20"] });
    expect(await (await visit("/api/cart")).json()).toEqual({ items: [{ good: "cotton", quantity: 1 }] });
    expect(await revision()).toBe(before);
  });

  test("--traffic sends about as many requests a second as it says", async () => {
    const told = await demo.line(/^traffic, last 5 s: /);
    const answers = [...told.matchAll(/([0-9]+) × (\d+|no answer)/g)];
    const total = answers.reduce((sum, [, count]) => sum + Number(count), 0);
    expect(total).toBeGreaterThan(50);
    expect(total).toBeLessThan(125);
  });

  test("killed outright it leaves neither workerd nor Deno behind", async () => {
    expect(demo.children.length).toBeGreaterThanOrEqual(2);
    expect(await demo.end("SIGKILL")).toBe("SIGKILL");
    expect(demo.children.filter(alive)).toEqual([]);
  });

  test("--fresh forgets, and Ctrl-C where npm runs it ends everything", async () => {
    demo = await startDemo({ state, ports, more: ["--fresh"], by: "npm" });
    // The first applies the policies, the second says where this run's ports are.
    expect(await revision()).toBe(2);
    await demo.end("SIGINT", "group");
    expect(demo.children.filter(alive)).toEqual([]);
  });

  test("a signal for npm alone, which tells nobody, ends everything as well", async () => {
    demo = await startDemo({ state, ports, by: "npm" });
    await demo.end("SIGTERM");
    expect(demo.children.filter(alive)).toEqual([]);
  });

  test("an option that it does not understand is refused with a sentence and an exit code", async () => {
    const refused = await refusedDemo({ state, ports, more: ["--traffic=much"] });
    expect(refused).toEqual({
      code: 1,
      printed: "--traffic must be a whole number from 0 to 1000, found much\n",
    });
  });

  test.each([
    ["--port=80443", "--port must be a whole number from 1 to 65535, found 80443"],
    ["--catalog-port=", "--catalog-port must be a whole number"],
    ["--traffic=-1", "--traffic must be a whole number"],
    ["--shipping-port=8788", "The four ports must differ, found 8788 twice"],
    ["--colour=red", "--colour"],
  ])("%s is refused with a sentence", (option, sentence) => {
    expect(() => readOptions([option])).toThrow(sentence);
  });
});
