import { expect, test } from "vitest";
import type { Answer } from "../../../mesh-runtime/foundation/exchange.ts";
import { header } from "../../../mesh-runtime/foundation/headers.ts";
import { problemOf, problemResponse } from "../../../mesh-runtime/foundation/problem.ts";
import { ok } from "../../../mesh-runtime/foundation/result.ts";
import { refusals } from "../../support/refusals.ts";
import { causeWith, faceOf, refuses, responds, unreachable } from "./examples.ts";
import { headersOf, inFakeTime, type Last, send } from "./trying.ts";

inFakeTime();

test("a second try follows a 503 after a jittered pause, and its answer is the answer", async () => {
  const { answer, seen, waits, notes } = send([responds(503), responds(200)]);
  expect(faceOf(await answer)).toBe(200);
  expect(waits).toEqual([12]);
  expect(seen.map(({ attempt, tried }) => [attempt, tried])).toEqual([
    [1, []],
    [2, ["default/payments-v1"]],
  ]);
  expect(notes.tries.map(({ backend, status, refusal }) => [backend, status, refusal])).toEqual([
    ["default/payments-v1", 503, undefined],
    ["default/payments-v2", 200, undefined],
  ]);
});

test("when nothing more may follow, the last answer passes on as it is", async () => {
  const last = responds(504);
  const { answer, seen } = send([unreachable(true), last]);
  expect(await answer).toBe(last);
  expect(seen).toHaveLength(2);
});

test("a refusal for load by the callee's mesh is passed on and never retried", async () => {
  const { answer, seen } = send([ok(problemResponse(problemOf(refusals.overloaded)))]);
  expect(faceOf(await answer)).toBe(503);
  expect(seen).toHaveLength(1);
});

test("the response that is given up is let go of", async () => {
  let cancelled = false;
  const body = new ReadableStream({
    cancel() {
      cancelled = true;
    },
  });
  await send([ok(new Response(body, { status: 503 })), responds(200)]).answer;
  expect(cancelled).toBe(true);
});

test("each attempt says what it may still use, whatever the application had written there", async () => {
  const forged = new Headers({ [header.deadline]: "86400000", [header.credits]: "10", [header.hops]: "0" });
  const { answer, seen } = send([responds(503), responds(200)], {
    message: { headers: forged },
    cause: causeWith({ hops: 4, credits: { left: 3 } }),
    deadlineAt: 1_000_500,
  });
  await answer;
  expect(seen.map(headersOf)).toEqual([
    ["500", "2", "5"],
    ["488", "0", "5"],
  ]);
});

test("without a deadline none is written, and a call that nobody caused is the first hop", async () => {
  const { answer, seen } = send([responds(200)], {
    message: { headers: new Headers({ [header.deadline]: "1" }) },
  });
  await answer;
  expect(seen.map(headersOf)).toEqual([[null, "2", "1"]]);
});

test("attempts do not see each other's headers", async () => {
  const { answer, seen } = send([
    ({ message }) => {
      message.headers.set("signature", "first");
      return responds(503);
    },
    responds(200),
  ]);
  await answer;
  expect(seen[1]?.message.headers.get("signature")).toBeNull();
});

test("a body that streams is sent whole to both attempts", async () => {
  const bodies: string[] = [];
  const reads: Last = async ({ message }) => {
    bodies.push(await new Response(message.body as BodyInit).text());
    return responds(bodies.length === 1 ? 503 : 200);
  };
  const stream = new Blob(["hello"]).stream();
  const { answer } = send([reads], { message: { method: "PUT", body: stream } });
  expect(faceOf(await answer)).toBe(200);
  expect(bodies).toEqual(["hello", "hello"]);
});

test("a body above the limit is sent once", async () => {
  const stream = new Blob(["hello"]).stream();
  const reads: Last = async ({ message }) => {
    await new Response(message.body as BodyInit).text();
    return responds(503);
  };
  const { answer, seen } = send([reads], {
    message: { method: "PUT", body: stream },
    policy: { maxReplayBytes: 4 },
  });
  expect(faceOf(await answer)).toBe(503);
  expect(seen).toHaveLength(1);
});

test("a body is not kept where no other try can follow", async () => {
  const body = new ReadableStream<Uint8Array>();
  const { answer, seen } = send([responds(200)], {
    message: { method: "PUT", body },
    policy: { attempts: 0 },
  });
  await answer;
  expect(seen[0]?.message.body).toBe(body);
});

test("an answer below 400 is passed on, whatever codes a rule names", async () => {
  const { answer, seen } = send([responds(200)], { route: { codes: [200], attempts: 3 } });
  expect(faceOf(await answer)).toBe(200);
  expect(seen).toHaveLength(1);
});

test("of one backend with several endpoints each that was tried is named", async () => {
  const last: Last = (_, notes) => {
    notes.endpoint = "eu";
    return responds(503);
  };
  const { answer, seen } = send([last, responds(200)]);
  await answer;
  expect(seen[1]?.tried).toEqual(["default/payments-v1", "default/payments-v1 eu"]);
});

test("a request for a WebSocket is never repeated; whatever else asks to upgrade is", async () => {
  const { answer, seen } = send([unreachable(false), responds(200)], {
    message: { headers: new Headers({ upgrade: "websocket" }) },
  });
  expect(faceOf(await answer)).toBe("unreachable");
  expect(seen).toHaveLength(1);
  const other = send([unreachable(false), responds(200)], {
    message: { headers: new Headers({ upgrade: "x" }) },
  });
  expect(faceOf(await other.answer)).toBe(200);
});

test("a write is repeated only with an idempotency key, or when it reached nobody", async () => {
  const post = (headers: Record<string, string>, first: Answer) =>
    send([first, responds(200)], { message: { method: "POST", headers: new Headers(headers) } }).answer;
  const key = { "idempotency-key": "order-7" };
  expect(faceOf(await post({}, unreachable(true)))).toBe("unreachable");
  expect(faceOf(await post({ "idempotency-key": "" }, responds(503)))).toBe(503);
  expect(faceOf(await post(key, responds(503)))).toBe(200);
  expect(faceOf(await post({}, unreachable(false)))).toBe(200);
});

test("past an open circuit the request goes to another backend at once, and stops when all were tried", async () => {
  const backends = [1, 2].map((n) => ({ service: `default/payments-v${n}`, weight: 1 }));
  const open = refuses(refusals["circuit-open"]);
  const credits = { left: 0 };
  const { answer, seen, waits } = send([open, open], { backends, cause: causeWith({ credits }) });
  expect(faceOf(await answer)).toBe("circuit-open");
  expect([seen.length, waits.length, credits.left]).toEqual([2, 0, 0]);
});

test("a backend that never says its name does not make the request go round for ever", async () => {
  const backends = [1, 2].map((n) => ({ service: `default/other-v${n}`, weight: 1 }));
  const { answer, seen } = send([refuses(refusals["circuit-open"])], { backends });
  expect(faceOf(await answer)).toBe("circuit-open");
  expect(seen).toHaveLength(3);
});
