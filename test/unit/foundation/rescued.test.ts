import { expect, test } from "vitest";
import {
  type Answer,
  blankNotes,
  type Noted,
  type Notes,
} from "../../../mesh-runtime/foundation/exchange.ts";
import { journey } from "../../../mesh-runtime/foundation/layer.ts";
import { problemBase } from "../../../mesh-runtime/foundation/problem.ts";
import type { Refusal } from "../../../mesh-runtime/foundation/refusal.ts";
import { rescued } from "../../../mesh-runtime/foundation/rescued.ts";
import { no, ok } from "../../../mesh-runtime/foundation/result.ts";

const emptyNotes = (): Notes => blankNotes();

/** Runs `rescued` around one step and tells what came out, what was noted and which crashes were reported. */
async function run(last: () => Promise<Answer>) {
  const crashes: unknown[] = [];
  const notes = emptyNotes();
  const step = journey<Noted, Response>()
    .through(rescued((error) => crashes.push(error)))
    .to(last);
  return { response: await step({ notes }), notes, crashes };
}

test("an answer passes through untouched and nothing is noted", async () => {
  const answer = new Response("hello", { status: 201 });
  const { response, notes, crashes } = await run(async () => ok(answer));
  expect(response).toBe(answer);
  expect(notes.refusal).toBeUndefined();
  expect(crashes).toEqual([]);
});

test("a refusal becomes its problem for the caller and stays whole in the notes for the operator", async () => {
  const refusal: Refusal = {
    kind: "denied",
    rule: "AuthorizationPolicy/default/payments/0",
    principal: "default/cart",
  };
  const { response, notes, crashes } = await run(async () => no(refusal));
  expect(response.status).toBe(403);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(await response.json()).toMatchObject({ type: `${problemBase}denied`, status: 403 });
  expect(notes.refusal).toBe(refusal);
  expect(crashes).toEqual([]);
});

test("an exception ends closed: 500, counted, and without its message to anybody", async () => {
  const broken = new RangeError("token eyJhbGciOi in the message");
  const { response, notes, crashes } = await run(async () => {
    throw broken;
  });
  expect(response.status).toBe(500);
  expect(await response.text()).not.toContain("eyJhbGciOi");
  expect(notes.refusal).toEqual({ kind: "internal", detail: "RangeError" });
  expect(crashes).toEqual([broken]);
});

test("a layer that throws before it returns a promise ends closed as well", async () => {
  const { response, crashes } = await run(() => {
    throw new TypeError("at once");
  });
  expect(response.status).toBe(500);
  expect(crashes).toHaveLength(1);
});

test.each([
  ["a string", "text with a secret", "string"],
  ["nothing", undefined, "undefined"],
  ["an object", { secret: "secret" }, "object"],
])("%s thrown is noted by its type alone", async (_, thrown, detail) => {
  const { notes, crashes } = await run(async () => {
    throw thrown;
  });
  expect(notes.refusal).toEqual({ kind: "internal", detail });
  expect(crashes).toEqual([thrown]);
});

test("the layer is named by what is true after it", () => {
  expect(rescued(() => undefined).name).toBe("rescued");
});
