import { reset, runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { contentDigest } from "@tulle/mesh-runtime/identity/content-digest.ts";
import { credentialFrom, generateKeys } from "@tulle/mesh-runtime/identity/credential.ts";
import { signMessage } from "@tulle/mesh-runtime/identity/proof.ts";
import type { AdmitAnswer, AdmitRequest, Declined } from "@tulle/mesh-runtime/workload-contract.ts";
import { beforeEach, describe, expect, test } from "vitest";
import type { Env } from "../../control/env.ts";
import { replayName } from "../../control/objects.ts";
import { fits } from "../../control/shape.ts";
import { controlId } from "../../control/workload-http.ts";
import { admitShape } from "../../control/workload-shape.ts";
import { api, apply, joined, joinRequest, service, workload } from "./support.ts";

const objects = env as unknown as Env;
const sender = "s".repeat(43);

beforeEach(async () => {
  await reset();
  await apply(service("web"), service("bank"));
});

let nonces = 0;
const request = (change: Partial<AdmitRequest> = {}): AdmitRequest => {
  const created = Math.floor(Date.now() / 1_000);
  const nonce = `n${nonces++}`;
  return {
    version: 1,
    workload: "default/bank",
    sender,
    nonce,
    created,
    expires: created + 30,
    watch: "",
    ...change,
  };
};
const bank = workload({ service: "bank" });
const admitted = (answer: AdmitAnswer | Declined): AdmitAnswer => {
  if (!answer.ok) throw new Error(`declined: ${answer.detail}`);
  return answer;
};
/** Asks as the bank; with the name of the present watch, as callers do that were told. */
async function ask(change: Partial<AdmitRequest> = {}): Promise<AdmitAnswer["verdict"]> {
  return admitted(await bank.admit(request(change))).verdict;
}
const watchOf = async (by = sender): Promise<string> =>
  admitted(await bank.admit(request({ sender: by }))).watch;

describe("the verb admit", () => {
  test("admits a proof once, of three hundred times at once", async () => {
    const proof = request({ watch: await watchOf() });
    const answers = await Promise.all(Array.from({ length: 300 }, () => bank.admit(proof)));
    const verdicts = answers.map((answer) => admitted(answer).verdict);
    expect(verdicts.filter((verdict) => verdict === "fresh")).toHaveLength(1);
    expect(verdicts.filter((verdict) => verdict === "repeated")).toHaveLength(299);
  });

  test("remembers for each service apart: a proof that another has seen is its own affair", async () => {
    const nonce = "the-same";
    expect(await ask({ nonce, watch: await watchOf() })).toBe("fresh");
    const web = workload({ service: "web" });
    const { watch } = admitted(await web.admit(request({ workload: "default/web" })));
    const own = admitted(await web.admit(request({ workload: "default/web", nonce, watch })));
    expect(own.verdict).toBe("fresh");
    expect(await ask({ nonce, watch: await watchOf() })).toBe("repeated");
  });

  test("is nobody else's: neither use up nor fill what another remembers", async () => {
    for (const props of [{ service: "web" }, { service: "bank", namespace: "other" }, {}]) {
      const answer = await workload(props).admit(request());
      expect(answer).toMatchObject({ ok: false, reason: "not-attested" });
    }
  });

  test.each<[string, Partial<Record<keyof AdmitRequest, unknown>>]>([
    ["a sender that is no thumbprint", { sender: "me" }],
    ["no nonce", { nonce: "" }],
    ["a nonce that is longer than any", { nonce: "n".repeat(65) }],
    ["a time that is no number", { created: "now" }],
    ["a name with blanks", { watch: "w 1" }],
  ])("declines %s", async (_, change) => {
    const answer = await bank.admit(request(change as Partial<AdmitRequest>));
    expect(answer).toMatchObject({ ok: false, reason: "malformed" });
  });

  test("has whoever asks say whose the key is, so that no caller takes more than his share", () => {
    const owner = "spiffe://mesh.local/ns/default/sa/web";
    const read = fits(admitShape, request({ owner }));
    expect(read.ok && read.value.owner).toBe(owner);
  });

  test("declines a later version of the contract", async () => {
    expect(await bank.admit(request({ version: 2 }))).toMatchObject({ reason: "unsupported-version" });
  });
});

describe("an object that is started anew", () => {
  test("admits nothing that was signed before, and has another name", async () => {
    const watch = await watchOf();
    const used = request({ watch });
    expect(admitted(await bank.admit(used)).verdict).toBe("fresh");
    const object = objects.REPLAYS.getByName(replayName("default/bank", sender));
    await runInDurableObject(object, (_, state) => state.abort("a test")).catch(() => undefined);
    const again = admitted(await bank.admit(used));
    expect(again.verdict).toBe("unknown");
    expect(again.watch).not.toBe(watch);
    expect(await ask()).toBe("unknown");
    expect(await ask({ watch: again.watch })).toBe("fresh");
  });

  test("has written nothing down", async () => {
    await ask({ watch: await watchOf() });
    const object = objects.REPLAYS.getByName(replayName("default/bank", sender));
    const stored = await runInDurableObject(object, async (_, state) => (await state.storage.list()).size);
    expect(stored).toBe(0);
  });
});

describe("over HTTP", () => {
  async function post(body: object, by?: Awaited<ReturnType<typeof credential>>) {
    const url = "https://control.test/workload/admit";
    const bytes = new TextEncoder().encode(JSON.stringify(body));
    const headers = new Headers({ "content-type": "application/json" });
    if (by !== undefined) {
      headers.set("content-digest", await contentDigest(bytes));
      const audience = controlId(objects.TRUST_DOMAIN);
      const proof = { audience, credential: by, now: Date.now(), nonce: crypto.randomUUID() };
      await signMessage({ method: "POST", url, headers }, proof);
    }
    const response = await exports.default.fetch(url, { method: "POST", headers, body: bytes });
    return { status: response.status, body: (await response.json()) as AdmitAnswer | Declined };
  }

  async function credential(name: string) {
    const token = await api<{ token: string }>("POST", "/api/identity/tokens", { service: name });
    const keys = await generateKeys();
    const join = await joinRequest({
      keys,
      workload: `default/${name}`,
      joinToken: token.body.token,
    });
    const response = await exports.default.fetch("https://control.test/workload/join", {
      method: "POST",
      body: JSON.stringify(join),
    });
    const made = credentialFrom(joined(await response.json()).wit, keys, Date.now(), () => 0.5);
    if (!made.ok) throw new Error(made.reason);
    return made.value;
  }

  test("a workload asks with its signature, for itself alone", async () => {
    const by = await credential("bank");
    const { body } = await post(request(), by);
    expect(admitted(body).verdict).toBe("unknown");
    const proof = request({ watch: admitted(body).watch });
    expect(admitted((await post(proof, by)).body).verdict).toBe("fresh");
    expect(admitted((await post(proof, by)).body).verdict).toBe("repeated");
    expect((await post(request({ workload: "default/web" }), by)).body).toMatchObject({
      reason: "not-attested",
    });
    expect(await post(request(), await credential("web"))).toMatchObject({ status: 400 });
  });

  test("nobody asks without one", async () => {
    expect(await post(request())).toMatchObject({ status: 400, body: { reason: "not-attested" } });
  });
});
