import { expect, test } from "vitest";
import { ok } from "../../../mesh-runtime/foundation/result.ts";
import { heard } from "../../../mesh-runtime/heard.ts";
import type { Identified } from "../../../mesh-runtime/identity/words.ts";

test.each([
  ["17", "17"],
  ["no epoch", null],
])(
  "heard() passes %s on to whoever wants to know, and the request to the next layer",
  async (_what, epoch) => {
    const told: (string | null)[] = [];
    const exchange: Identified = {
      principal: undefined,
      said: { deadline: null, credits: null, hops: null, epoch },
      request: new Request("http://payments/"),
    };
    const passed: object[] = [];
    const answer = await heard((said) => told.push(said)).wrap<Identified>(async (next) => {
      passed.push(next);
      return ok(new Response("handled"));
    })(exchange);
    expect(answer.ok).toBe(true);
    expect([told, passed]).toEqual([[epoch], [exchange]]);
  },
);
