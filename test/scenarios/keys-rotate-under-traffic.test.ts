import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CheckAnswer, IdentitiesAnswer, KeysAnswer } from "../../control/api/contract.ts";
import { until, word } from "../support/answers.ts";
import { open } from "../support/policy-texts.ts";
import { traffic } from "../support/traffic.ts";

let mesh: TestMesh;

beforeAll(async () => {
  mesh = await startMesh({
    services: {
      web: { fetch: () => new Response("web") },
      // Hears of nothing while nobody calls it.
      sleeper: { fetch: () => new Response("sleeper") },
      payments: { fetch: () => new Response("paid") },
    },
    policies: [open("web", "payments", "sleeper")],
  });
});
afterAll(() => mesh.dispose());

async function json<Answer>(path: string, body?: object): Promise<Answer> {
  const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await mesh.api(path, init);
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Answer;
}

const signing = async (): Promise<readonly string[]> =>
  (await json<KeysAnswer>("/api/keys")).keys.flatMap(({ kid, use, state }) =>
    use === "signing" && state === "active" ? [kid] : [],
  );
const ask = (service: string, from = "web"): Promise<string> =>
  word(mesh.from(from).fetch(`http://${service}/`));

/** Requests from both callers at once, until forty are answered. Clocks are moved on between such bursts only: isolates' clocks cannot be moved at one instant. */
async function burst(): Promise<readonly string[]> {
  const calls = [ask("payments"), ask("web", "payments")] as const;
  const first = await Promise.all(calls);
  const steady = traffic(4, () => ask("payments"));
  await steady.more(40);
  return [...first, ...(await steady.stop())];
}

describe("the key that signs credentials", () => {
  test("is rotated twice under steady traffic, and not one request fails", async () => {
    const [first] = await signing();
    const words = [...(await burst())];
    for (const _turn of [1, 2]) {
      await json("/api/keys/rotate", {});
      words.push(...(await burst()));
      // The next key signs after 25 minutes; at half of its life every credential is renewed.
      for (const _step of Array.from({ length: 8 })) {
        await mesh.advance("8m");
        words.push(...(await burst()));
      }
    }
    const { keys } = await json<KeysAnswer>("/api/keys");
    expect(keys.filter(({ state }) => state === "retiring")).toHaveLength(2);
    expect(await signing()).not.toContain(first);
    expect(words.length).toBeGreaterThan(700);
    expect(words.filter((each) => each !== "200")).toEqual([]);
  });

  test("leaves the bundle a day later; who slept all that time is called, and calls, at once", async () => {
    await mesh.advance("25h");
    expect((await burst()).filter((each) => each !== "200")).toEqual([]);
    const { keys } = await json<KeysAnswer>("/api/keys");
    expect(keys.filter(({ state }) => state === "retiring")).toEqual([]);
    expect([await ask("sleeper"), await ask("payments", "sleeper")]).toEqual(["200", "200"]);
  });

  test("is taken out at once when it leaked: who was given a credential by it fetches another", async () => {
    const [leaked] = await signing();
    expect(await ask("payments")).toBe("200");
    await json("/api/keys/revoke", { kid: leaked });
    await mesh.advance("1s");
    await mesh.settle();
    expect(await signing()).not.toContain(leaked);
    expect((await burst()).filter((each) => each !== "200")).toEqual([]);
  });
});

describe("a workload that is revoked", () => {
  const web = "spiffe://mesh.local/ns/default/sa/web";

  test("is refused with the next report of whom it calls, and gets no other credential until that is lifted", async () => {
    expect(await ask("payments")).toBe("200");
    await json("/api/identity/revocations", { spiffeId: web, reason: "test" });
    await mesh.advance("1s");
    await mesh.settle();
    expect(await ask("payments")).not.toBe("200");
    expect(await ask("payments", "sleeper")).toBe("200");
    await mesh.advance("2s");
    expect(await ask("payments")).not.toBe("200");

    await json("/api/identity/revocations/lift", { spiffeId: web });
    await mesh.advance("2s");
    expect(
      await until(
        () => ask("payments"),
        (seen) => seen === "200",
      ),
    ).toBe("200");
  });

  test("shows in the list of identities, and the signed documents are fresh", async () => {
    await json("/api/identity/revocations", { spiffeId: web });
    const { identities } = await json<IdentitiesAnswer>("/api/identity");
    expect(identities.find(({ spiffeId }) => spiffeId === web)).toMatchObject({ revoked: true });
    await json("/api/identity/revocations/lift", { spiffeId: web });
    const { checks } = await json<CheckAnswer>("/api/check");
    for (const name of ["trust bundle", "heads"])
      expect(checks.find((each) => each.name === name)).toMatchObject({ result: "ok" });
  });
});
