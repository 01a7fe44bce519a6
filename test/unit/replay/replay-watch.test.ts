import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { doubtMs, ReplayWatch } from "../../../control/replay/replay-watch.ts";
import type { Admission, OneUse } from "../../../mesh-runtime/identity/words.ts";

const began = 1_790_000_000_000;
/** A while after the watch began, when nothing is doubtful. */
const later = began + 60_000;
const sender = "s".repeat(43);

let nonces = 0;
const proof = (at: number, changed: Partial<OneUse> = {}): OneUse => ({
  sender,
  nonce: `n${nonces++}`,
  created: Math.floor(at / 1_000),
  expires: Math.floor(at / 1_000) + 30,
  watch: "",
  ...changed,
});
const verdict = (watch: ReplayWatch, used: OneUse, now: number): Admission["verdict"] =>
  watch.admit(used, now).verdict;

describe("a watch", () => {
  test("admits a proof once, for as long as it is valid", () => {
    const watch = new ReplayWatch("w1", began);
    const used = proof(later);
    expect(verdict(watch, used, later)).toBe("fresh");
    for (const ms of [0, 1, 15_000, 29_999]) expect(verdict(watch, used, later + ms)).toBe("repeated");
    expect(verdict(watch, used, later + 30_000)).toBe("untimely");
    expect(verdict(watch, proof(later), later + 40_000)).toBe("untimely");
  });

  test("tells senders apart, and nonces", () => {
    const watch = new ReplayWatch("w1", began);
    expect(verdict(watch, proof(later, { nonce: "a" }), later)).toBe("fresh");
    expect(verdict(watch, proof(later, { nonce: "a", sender: "t".repeat(43) }), later)).toBe("fresh");
    expect(verdict(watch, proof(later, { nonce: "b" }), later)).toBe("fresh");
    expect(verdict(watch, proof(later, { nonce: "a" }), later)).toBe("repeated");
  });

  test("does not admit what was signed before it began, or too soon after to tell, and says its own name", () => {
    const watch = new ReplayWatch("w2", began);
    for (const ms of [-20_000, -1, 0, doubtMs]) {
      const answer = watch.admit(proof(began + ms), began + Math.max(ms, 0));
      expect(answer).toEqual({ verdict: "unknown", watch: "w2" });
    }
    expect(verdict(watch, proof(began + doubtMs + 1_000), began + doubtMs + 1_000)).toBe("fresh");
  });

  test("admits at once what was signed with its name, whatever the clock of who signed", () => {
    const watch = new ReplayWatch("w2", began);
    const slow = proof(began - 20_000, { watch: "w2" });
    expect(verdict(watch, slow, began + 5)).toBe("fresh");
    expect(verdict(watch, slow, began + 6)).toBe("repeated");
    expect(verdict(watch, proof(began, { watch: "w1" }), began + 5)).toBe("unknown");
  });

  test("refuses what a clock far ahead has signed, so that nothing is forgotten before it expires", () => {
    const watch = new ReplayWatch("w1", began);
    expect(verdict(watch, proof(later + 5_000), later)).toBe("fresh");
    expect(verdict(watch, proof(later + 6_000), later)).toBe("untimely");
  });

  test("refuses what would be valid for too long, which it would have to remember for as long", () => {
    const watch = new ReplayWatch("w1", began);
    expect(verdict(watch, proof(later, { expires: later / 1_000 + 60 }), later)).toBe("fresh");
    expect(verdict(watch, proof(later, { expires: later / 1_000 + 61 }), later)).toBe("untimely");
    expect(watch.size).toBe(1);
  });

  test("is not fooled by a clock that goes back", () => {
    const watch = new ReplayWatch("w1", began);
    const used = proof(later);
    expect(verdict(watch, used, later)).toBe("fresh");
    expect(verdict(watch, proof(later + 40_000), later + 40_000)).toBe("fresh");
    expect(watch.size).toBe(1);
    expect(verdict(watch, used, later)).toBe("untimely");
  });

  test("that is full admits nobody rather than forget one, until proofs have expired", () => {
    const watch = new ReplayWatch("w1", began, 1_000);
    const first = proof(later);
    expect(verdict(watch, first, later)).toBe("fresh");
    for (let more = 0; more < 5_000; more++) watch.admit(proof(later, { owner: `${more}` }), later);
    expect(watch.size).toBe(1_000);
    expect(verdict(watch, proof(later), later)).toBe("full");
    expect(verdict(watch, first, later)).toBe("repeated");
    const after = later + 40_000;
    expect(verdict(watch, proof(after), after)).toBe("fresh");
    expect(watch.size).toBe(1);
  });

  test("is never filled by one caller, by however many keys: he alone is refused, and others get in", () => {
    const watch = new ReplayWatch("w1", began, 1_000);
    const of = (owner: string, key: number) => proof(later, { owner, sender: `${owner}-${key}` });
    for (let more = 0; more < 5_000; more++) watch.admit(of("greedy", more % 50), later);
    expect(watch.size).toBe(875);
    expect(verdict(watch, of("greedy", 99), later)).toBe("full");
    for (let more = 0; more < 100; more++)
      expect(verdict(watch, of("modest", more % 3), later)).toBe("fresh");
    expect(verdict(watch, of("greedy", 99), later)).toBe("full");
    // His share is his again when what he used it for has run out.
    const after = later + 40_000;
    expect(verdict(watch, proof(after, { owner: "greedy" }), after)).toBe("fresh");
  });

  test("takes a key for its own owner where a runtime of before tells of none", () => {
    const watch = new ReplayWatch("w1", began, 80);
    for (let more = 0; more < 200; more++) watch.admit(proof(later), later);
    expect(verdict(watch, proof(later), later)).toBe("full");
    expect(verdict(watch, proof(later, { sender: "t".repeat(43) }), later)).toBe("fresh");
  });
});

test("whatever happens in whatever order, with restarts among it, no proof is admitted twice", () => {
  const steps = fc.array(
    fc.oneof(
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(20_000) }) },
      // A caller whose clock differs, who may have heard of the present watch.
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant("sign" as const),
          skewMs: fc.integer({ min: -5_000, max: 5_000 }),
          heard: fc.boolean(),
        }),
      },
      { weight: 8, arbitrary: fc.record({ kind: fc.constant("send" as const), which: fc.nat(2) }) },
    ),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(steps, (script) => {
      let now = began;
      let watches = 0;
      let watch = new ReplayWatch("w0", now);
      const captured: OneUse[] = [];
      const admitted = new Set<OneUse>();
      for (const step of script) {
        if (step.kind === "restart") watch = new ReplayWatch(`w${++watches}`, now);
        else if (step.kind === "wait") now += step.ms;
        else if (step.kind === "sign") {
          captured.push(proof(now + step.skewMs, step.heard ? { watch: watch.name } : {}));
        } else {
          const used = captured.at(-1 - step.which);
          if (used === undefined || verdict(watch, used, now) !== "fresh") continue;
          if (admitted.has(used)) return false;
          admitted.add(used);
        }
      }
      return true;
    }),
    { seed: 59, numRuns: 2_000 },
  );
});
