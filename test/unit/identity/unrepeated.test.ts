import { describe, expect, test } from "vitest";
import type { Answer } from "../../../mesh-runtime/foundation/exchange.ts";
import { ok } from "../../../mesh-runtime/foundation/result.ts";
import { type AskAdmission, longestAskMs, unrepeated } from "../../../mesh-runtime/identity/unrepeated.ts";
import type { Admission, OneUse } from "../../../mesh-runtime/identity/words.ts";
import { now, nowS } from "./fixture.ts";

const oneUse: OneUse = { sender: "s", nonce: "n", created: nowS, expires: nowS + 30, watch: "" };

interface Seen {
  readonly answer: string;
  readonly handled: number;
  readonly asked: readonly (readonly [OneUse, number])[];
  readonly counted: readonly string[];
}

/** Lets a request through the layer: what became of it, and what it asked for. */
async function arrive(
  said: Admission | undefined | "nobody",
  arriving: { readonly oneUse?: OneUse; readonly deadlineAt?: number } = { oneUse },
): Promise<Seen> {
  const asked: (readonly [OneUse, number])[] = [];
  const counted: string[] = [];
  let handled = 0;
  const askAdmission: AskAdmission = async (proof, limitMs) => {
    asked.push([proof, limitMs]);
    return said === "nobody" ? undefined : said;
  };
  const layer = unrepeated({
    clock: { now: () => now },
    count: (counter) => counted.push(counter),
    ...(said === "nobody" ? {} : { askAdmission }),
  });
  const answer: Answer = await layer.wrap<{ oneUse?: OneUse; deadlineAt: number | undefined }>(async () => {
    handled++;
    return ok(new Response("done"));
  })({ deadlineAt: undefined, ...arriving });
  if (answer.ok) return { answer: await answer.value.text(), handled, asked, counted };
  const { reason } = answer;
  const step = reason.kind === "unidentified" ? ` ${reason.step}` : "";
  const told =
    reason.kind === "replay-undecided" ? ` ${reason.watch ?? "-"} ${reason.retryAfterMs ?? "-"}` : "";
  return { answer: `${reason.kind}${step}${told}`, handled, asked, counted };
}

describe("unrepeated", () => {
  test("asks nothing, and makes no promise, for a request that policy does not speak of", async () => {
    const seen = await arrive({ verdict: "fresh", watch: "w" }, {});
    expect(seen).toEqual({ answer: "done", handled: 1, asked: [], counted: [] });
    const rest = new Promise<Answer>(() => undefined);
    const layer = unrepeated({ clock: { now: () => now }, count: () => undefined });
    expect(layer.wrap<{ deadlineAt: number | undefined }>(() => rest)({ deadlineAt: undefined })).toBe(rest);
  });

  test("lets in a proof that is used for the first time", async () => {
    const seen = await arrive({ verdict: "fresh", watch: "w" });
    expect(seen).toEqual({ answer: "done", handled: 1, asked: [[oneUse, longestAskMs]], counted: [] });
  });

  test.each<[string, Admission | undefined | "nobody", string]>([
    ["was used before", { verdict: "repeated", watch: "w" }, "unidentified replay"],
    ["is not valid by control's clock", { verdict: "untimely", watch: "w" }, "unidentified clock"],
    ["is older than the memory", { verdict: "unknown", watch: "w-2" }, "replay-undecided w-2 -"],
    ["is older than a memory without a name", { verdict: "unknown", watch: "" }, "replay-undecided - 10000"],
    ["finds the memory full", { verdict: "full", watch: "w" }, "replay-undecided - 1000"],
    ["gets no answer", undefined, "replay-undecided - 1000"],
    [
      "gets an answer of a later version",
      { verdict: "soon" as "fresh", watch: "w" },
      "replay-undecided - 1000",
    ],
    ["has nobody to ask", "nobody", "replay-undecided - 1000"],
  ])("refuses a proof that %s", async (_, said, answer) => {
    const seen = await arrive(said);
    expect({ answer: seen.answer, handled: seen.handled }).toEqual({ answer, handled: 0 });
    expect(seen.counted).toEqual(answer.startsWith("replay-undecided") ? ["replays_undecided"] : []);
  });

  test("waits no longer than the caller does", async () => {
    const { asked } = await arrive({ verdict: "fresh", watch: "w" }, { oneUse, deadlineAt: now + 300 });
    expect(asked).toEqual([[oneUse, 300]]);
  });
});
