import fc from "fast-check";
import { expect, test } from "vitest";
import {
  formatGossip,
  mostGossip,
  mostGossipBytes,
  parseGossip,
} from "../../../mesh-runtime/resilience/circuit-gossip.ts";
import type { CircuitState, Verdict } from "../../../mesh-runtime/resilience/words.ts";
import { fixed } from "./examples.ts";

const open: Verdict = {
  circuit: "default/payments",
  incarnation: 1_764_000_000_000,
  epoch: 17,
  state: "open",
  ageMs: 1_200,
  probeInMs: 900,
};

test("an entry is short and reads back as it was", () => {
  expect(formatGossip([open])).toBe("default/payments=midc1z40.h.o.xc.p0");
  expect(parseGossip("default/payments=midc1z40.h.o.xc.p0")).toEqual([open]);
});

const anyVerdict = fc
  .record({
    circuit: fc.constantFrom("default/payments", "a/b", `${"n".repeat(63)}/${"s".repeat(63)}`),
    incarnation: fc.nat(Number.MAX_SAFE_INTEGER),
    epoch: fc.nat(Number.MAX_SAFE_INTEGER),
    state: fc.constantFrom<CircuitState>("closed", "open", "half-open", "ramp"),
    ageMs: fc.nat(59_999),
    first: fc.nat(600_000),
    second: fc.nat(600_000),
  })
  .map(({ first, second, ...said }): Verdict => {
    if (said.state === "closed") return said;
    return said.state === "ramp"
      ? { ...said, rampElapsedMs: first, rampMs: second }
      : { ...said, probeInMs: first };
  });

test("whatever verdicts there are, the header keeps its limits and what is in it reads back", () => {
  fc.assert(
    fc.property(fc.array(anyVerdict, { maxLength: 12 }), (verdicts) => {
      const text = formatGossip(verdicts);
      expect(text.length).toBeLessThanOrEqual(mostGossipBytes);
      if (text === "") return;
      const read = parseGossip(text) ?? [];
      expect(read).toHaveLength(text.split(",").length);
      expect(read.length).toBeLessThanOrEqual(mostGossip);
      expect(read).toEqual(verdicts.slice(0, read.length));
    }),
    fixed,
  );
});

const entry = "default/payments=1.1.o.1.1";

test.each([
  ["an empty entry", ","],
  ["a space", ` ${entry}`],
  ["a trailing comma", `${entry},`],
  ["nine entries", Array.from({ length: 9 }, () => "a/b=1.1.c.1").join()],
  [
    "more than 512 bytes",
    Array.from({ length: 4 }, () => `${"n".repeat(63)}/${"s".repeat(63)}=1.1.c.1`).join(),
  ],
  ["a key that is none", "payments=1.1.o.1.1"],
  ["a key in capitals", "Default/payments=1.1.o.1.1"],
  ["a key with a third part", "a/b/c=1.1.o.1.1"],
  ["an unknown state", "a/b=1.1.x.1.1"],
  ["a negative number", "a/b=-1.1.o.1.1"],
  ["an incarnation beyond exact numbers", "a/b=zzzzzzzzzzz.1.o.1.1"],
  ["an epoch beyond exact numbers", "a/b=1.zzzzzzzzzzz.o.1.1"],
  ["an open without its probe", "a/b=1.1.o.1"],
  ["a closed with one", "a/b=1.1.c.1.1"],
  ["a ramp without its length", "a/b=1.1.r.1.1"],
  ["a probe in more than ten minutes", "a/b=1.1.o.1.cvrk1"],
  ["a ramp that began more than ten minutes ago", "a/b=1.1.r.1.cvrk1.1"],
  ["a ramp of more than ten minutes", "a/b=1.1.r.1.1.cvrk1"],
  ["a number too many", "a/b=1.1.r.1.1.1.1"],
])("%s makes the whole header unreadable", (_, text) => {
  expect(parseGossip(text)).toBeUndefined();
});

test("one bad entry spoils the good ones: the mesh did not write it", () => {
  expect(parseGossip(`${entry},x`)).toBeUndefined();
});

test("verdicts whose lease is over are left out", () => {
  expect(parseGossip(`${entry},a/b=1.1.c.${(60_000).toString(36)}`)).toHaveLength(1);
});

test("no text whatever throws or yields anything out of bounds", () => {
  const pieces = fc.constantFrom(
    "a",
    "0",
    "z",
    "/",
    "=",
    ".",
    ",",
    "-",
    "o",
    "r",
    "c",
    " ",
    "a/b=1.1.o.1.1",
    "é",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 60 }), (parts) => {
      const read = parseGossip(parts.join("")) ?? [];
      return read.every(
        ({ ageMs, epoch, probeInMs = 0 }) =>
          ageMs < 60_000 && Number.isSafeInteger(epoch) && probeInMs <= 600_000,
      );
    }),
    { ...fixed, numRuns: 2_000 },
  );
});
