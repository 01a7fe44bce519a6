import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { CheckAnswer, StatusAnswer } from "../../control/api/contract.ts";
import { signDocument } from "../../mesh-runtime/identity/signed-document.ts";
import type { Head } from "../../mesh-runtime/policy/snapshot.ts";
import { open, split, virtual } from "../support/policy-texts.ts";

/** Somebody who can write where policy is kept, and has no key that anybody trusts. */
interface Forger {
  sign(payload: object, typ: string): Promise<string>;
}

const allTo = (version: string): string => split("payments", { v1: 0, v2: 0, [version]: 1 });
let mesh: TestMesh;
let forger: Forger;

beforeAll(async () => {
  const { privateKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, [
    "sign",
    "verify",
  ]);
  forger = { sign: (payload, typ) => signDocument(payload, typ, "root", privateKey) };
  mesh = await startMesh({
    services: {
      web: { fetch: () => new Response("web"), kv: { TULLE_KV: "tulle-policies" } },
      v1: { fetch: () => new Response("v1") },
      v2: { fetch: () => new Response("v2") },
      other: { fetch: () => new Response("other") },
    },
    policies: [virtual("payments"), open("web"), open("v1", "v2"), allTo("v1")],
  });
  // What control knows of the mesh it keeps for a moment. While its clock stands nobody hears of what is published,
  // so it can be tampered with before a worker that reports in between has taken it in.
  await mesh.stopClock();
});
afterAll(() => mesh.dispose());

const answering = async (): Promise<string> => (await mesh.from("web").fetch("http://payments/")).text();

/** What a JWS says, whoever signed it. */
const payloadOf = (jws: string): object =>
  JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString()) as object;

/** The same JWS with another payload: its signature is no longer true. */
function altered(jws: string, change: object): string {
  const [header, , signature] = jws.split(".");
  const payload = Buffer.from(JSON.stringify({ ...payloadOf(jws), ...change })).toString("base64url");
  return `${header}.${payload}.${signature}`;
}

async function refusals(): Promise<number> {
  const text = await (await mesh.api("/metrics")).text();
  const counters = /^tulle_workload_events_total\{event="(?:snapshot|bundle)_refused"\} (\d+)$/gm;
  return [...text.matchAll(counters)].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Whether snapshots are refused that were not before: what one report brings is counted, and told with the next. */
async function refusedMoreThan(before: number): Promise<boolean> {
  for (let round = 0; round < 10; round++) {
    await mesh.advance("1s");
    if ((await refusals()) > before) return true;
  }
  return false;
}

describe("where control itself was tampered with, a worker that runs keeps its policy and tells of it", () => {
  type Row = Record<string, ArrayBuffer | string | number | null>;
  const storage = () =>
    mesh.runtime.unsafeGetDurableObjectStorage("tulle-control", "PolicyObject", { name: "mesh" });
  const sql = async (statement: string, ...values: string[]): Promise<readonly Row[]> =>
    (await storage()).exec<Row>(statement, ...values);
  const signedHead = async (service = "default/web"): Promise<string> =>
    String((await sql("SELECT signed FROM heads WHERE service = ?", service))[0]?.signed);
  const replaceHead = (signed: string) =>
    sql("UPDATE heads SET signed = ? WHERE service = 'default/web'", signed);

  /** Puts a route into force. Nobody follows it before the clock moves on. */
  async function publish(version: string): Promise<number> {
    const sources = [{ source: "route.yaml", text: allTo(version) }];
    const response = await mesh.api("/api/policies", { method: "POST", body: JSON.stringify({ sources }) });
    return ((await response.json()) as { revision: number }).revision;
  }

  beforeEach(async () => {
    await publish("v1");
    await mesh.advance("1s");
    expect(await answering()).toBe("v1");
    await mesh.settle();
  });

  test.each<[what: string, forged: (head: string, before: string) => string | Promise<string>]>([
    ["a head whose payload was altered", (head) => altered(head, { epoch: 999 })],
    ["a head that another key signed", (head) => forger.sign(payloadOf(head), "tulle-head+jwt")],
    ["a head from before, rolled back", (_head, before) => before],
    ["the head of another workload", () => signedHead("default/other")],
    ["a head that is no head", () => "nonsense"],
  ])("%s", async (_what, forged) => {
    const [before, refusedBefore] = [await signedHead(), await refusals()];
    const revision = await publish("v2");
    const head = await signedHead();
    await replaceHead(await forged(head, before));

    expect(await refusedMoreThan(refusedBefore)).toBe(true);
    expect(await answering()).toBe("v1");
    expect(await stateOfWeb()).toMatchObject({ state: "STALE", epoch: revision - 1 });
    expect(await checkOfWeb()).toMatchObject({
      result: "warning",
      remedy: expect.stringContaining("snapshot_refused"),
    });

    await replaceHead(head);
    await mesh.advance("1s");
    expect(await answering()).toBe("v2");
    await mesh.advance("1s");
    expect(await stateOfWeb()).toMatchObject({ state: "SYNCED", epoch: revision });
  });

  test("a snapshot that was altered under its digest", async () => {
    const refusedBefore = await refusals();
    await publish("v2");
    const { digest } = payloadOf(await signedHead()) as Head;
    const [row] = await sql("SELECT own FROM snapshots WHERE digest = ?", digest);
    const own = String(row?.own);
    expect(own).toContain("STRICT");
    await sql("UPDATE snapshots SET own = ? WHERE digest = ?", own.replace("STRICT", "PERMISSIVE"), digest);

    expect(await refusedMoreThan(refusedBefore)).toBe(true);
    expect(await answering()).toBe("v1");
    expect((await mesh.raw("web").fetch("http://web/")).status).toBe(400);

    await sql("UPDATE snapshots SET own = ? WHERE digest = ?", own, digest);
    await mesh.advance("1s");
    expect(await answering()).toBe("v2");
  });

  async function stateOfWeb(): Promise<StatusAnswer["services"][number] | undefined> {
    const { services } = (await (await mesh.api("/api/status")).json()) as StatusAnswer;
    return services.find(({ service }) => service === "default/web");
  }

  async function checkOfWeb(): Promise<CheckAnswer["checks"][number] | undefined> {
    const { checks } = (await (await mesh.api("/api/check")).json()) as CheckAnswer;
    return checks.find(({ name }) => name === "service default/web");
  }
});

describe("where KV was tampered with, a worker that starts without control does not start on it", () => {
  const kv = () => mesh.runtime.getKVNamespace("POLICIES", "tulle-control");
  const headKey = "heads/default/web";
  const read = async (key: string): Promise<string> => String(await (await kv()).get(key, "text"));
  const put = async (key: string, value: string): Promise<void> => (await kv()).put(key, value);
  const snapshotKey = async (): Promise<string> =>
    `snapshots/${(payloadOf(await read(headKey)) as Head).digest}`;

  /** What a cold worker answers to a request that carries no identity: 400 if it runs, 503 if not. */
  async function knock(): Promise<number> {
    await mesh.advance("2s");
    return (await mesh.raw("web").fetch("http://web/")).status;
  }

  beforeAll(async () => {
    const jwks = await (await mesh.api("/.well-known/tulle/jwks.json")).json();
    const { tulle_root: root } = jwks as { readonly tulle_root: object };
    await mesh.restart({ web: { TULLE_WORKLOAD: "default/web", TULLE_ROOT: JSON.stringify(root) } });
    await mesh.break("control", { status: 500 });
  });

  test.each<
    [what: string, key: () => string | Promise<string>, forged: (text: string) => string | Promise<string>]
  >([
    ["an altered snapshot", snapshotKey, (text) => text.replace("STRICT", "PERMISSIVE")],
    ["half of a snapshot", snapshotKey, (text) => text.slice(0, text.length / 2)],
    ["an altered head", () => headKey, (text) => altered(text, { epoch: 999 })],
    [
      "a head that another key signed",
      () => headKey,
      (text) => forger.sign(payloadOf(text), "tulle-head+jwt"),
    ],
    ["the head of another workload", () => headKey, () => read("heads/default/other")],
    ["a bundle in the place of a head", () => headKey, () => read("bundle")],
    [
      "a bundle that another key signed",
      () => "bundle",
      (text) => forger.sign(payloadOf(text), "tulle-bundle+jwt"),
    ],
    ["nothing", () => headKey, () => ""],
  ])("%s", async (_what, keyOf, forged) => {
    const key = await keyOf();
    const good = await read(key);
    await put(key, await forged(good));
    expect(await knock()).toBe(503);
    await put(key, good);
  });

  test("but it does on what control has published, and tells of every refusal once control is back", async () => {
    expect(await knock()).toBe(400);
    await mesh.mend("control");
    await mesh.advance("5s");
    expect(await answering()).toBe("v2");
    expect(await refusedMoreThan(5)).toBe(true);
  });
});
