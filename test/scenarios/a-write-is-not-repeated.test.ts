import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { word } from "../support/answers.ts";
import { Backend, fails, hangs } from "../support/backend.ts";
import { treated } from "../support/circuits.ts";
import { open } from "../support/policy-texts.ts";

const ledger = new Backend();
const slow = new Backend();
const crowd = new Backend();
let mesh: TestMesh;

beforeAll(async () => {
  mesh = await startMesh({
    services: { ledger, slow, crowd, web: { fetch: () => new Response("web") } },
    policies: [
      open("ledger", "slow", "crowd"),
      // Every request pays for a retry, so that these tests are about nothing but what may be repeated.
      treated("ledger", "retry: { budgetRatio: 1 }", "circuit: { enabled: false }"),
      treated(
        "slow",
        "timeout: 2s",
        "retry: { budgetRatio: 1, perTryTimeout: 150ms }",
        "circuit: { enabled: false }",
      ),
      treated("crowd", "circuit: { enabled: false }"),
    ],
  });
});
afterAll(() => mesh.dispose());

const send = (method: string, url: string, init: RequestInit = {}): Promise<Response> =>
  mesh.from("web").fetch(url, { method, ...init });

describe("a request that is answered 503 once", () => {
  beforeEach(() => ledger.script([fails(503)]));

  test.each(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])(
    "is tried again when it is a %s, and its caller sees nothing of it",
    async (method) => {
      expect(await word(send(method, "http://ledger/entries"))).toBe("200");
      expect(ledger.received.map((each) => each.method)).toEqual([method, method]);
    },
  );

  test.each(["POST", "PATCH"])("reaches the backend once when it is a %s", async (method) => {
    expect(await word(send(method, "http://ledger/entries", { body: "12 EUR" }))).toBe("503");
    expect(ledger.received).toHaveLength(1);
  });

  test("is tried again as a POST with an idempotency key: the same key, and the whole body", async () => {
    const body = "12 EUR ".repeat(2_000);
    const headers = { "idempotency-key": "order-1" };
    expect(await word(send("POST", "http://ledger/entries", { body, headers }))).toBe("200");
    expect(ledger.received.map((each) => each.headers.get("idempotency-key"))).toEqual([
      "order-1",
      "order-1",
    ]);
    expect(ledger.received.map((each) => each.body)).toEqual([body, body]);
  });
});

test("an application's own 500 is its word, and is not tried again", async () => {
  ledger.script([fails(500)]);
  expect(await word(send("GET", "http://ledger/entries"))).toBe("500");
  expect(ledger.received).toHaveLength(1);
});

test("when every try fails, the last answer passes on as it is", async () => {
  ledger.script([fails(502), fails(503, { "x-why": "second" })]);
  const response = await send("GET", "http://ledger/entries");
  expect(response.status).toBe(503);
  expect(response.headers.get("x-why")).toBe("second");
  expect(await response.text()).toBe("not well");
  expect(ledger.received).toHaveLength(2);
});

describe("Retry-After", () => {
  test("is kept to before the next try", async () => {
    ledger.script([fails(503, { "retry-after": "1" })]);
    expect(await word(send("GET", "http://ledger/entries"))).toBe("200");
    const [first, second] = ledger.received;
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(990);
  });

  test("that is longer than anybody would wait ends the trying, and passes on", async () => {
    ledger.script([fails(503, { "retry-after": "60" })]);
    const response = await send("GET", "http://ledger/entries");
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("60");
    expect(ledger.received).toHaveLength(1);
  });
});

describe("a try that is not answered within its own timeout", () => {
  test("is given up, and a GET is tried again within the request's deadline", async () => {
    slow.script([hangs]);
    expect(await word(send("GET", "http://slow/"))).toBe("200");
    expect(slow.received).toHaveLength(2);
  });

  test("is not repeated when it is a POST: it may have been processed", async () => {
    slow.script([hangs]);
    expect(await word(send("POST", "http://slow/"))).toBe("deadline-exceeded");
    expect(slow.received).toHaveLength(1);
  });
});

describe("a backend that fails for everybody", () => {
  /** Sends so many, ten at a time. */
  async function flood(count: number): Promise<readonly string[]> {
    const words: string[] = [];
    for (let sent = 0; sent < count; sent += 10) {
      words.push(
        ...(await Promise.all(Array.from({ length: 10 }, () => word(send("GET", "http://crowd/"))))),
      );
    }
    return words;
  }

  test("gets a fifth more requests than were sent, and never more", async () => {
    crowd.script([], fails(503));
    expect(new Set(await flood(100))).toEqual(new Set(["503"]));
    // The balance that an isolate begins with is below one retry.
    expect(crowd.received.length).toBeLessThanOrEqual(121);
    expect(crowd.received.length).toBeGreaterThanOrEqual(115);
  });

  test("after a quiet time it gets ten retries in a row at most", async () => {
    crowd.script([]);
    await flood(100);
    crowd.script([], fails(503));
    await flood(50);
    expect(crowd.received.length).toBeLessThanOrEqual(50 + 10 + 10);
    expect(crowd.received.length).toBeGreaterThanOrEqual(50 + 10);
  });
});
