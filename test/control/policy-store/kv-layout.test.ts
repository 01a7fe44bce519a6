import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  headKey,
  parsePolicyKey,
  parseSnapshotKey,
  parseWrittenBy,
  policyKey,
  snapshotKey,
} from "../../../control/policy-store/kv-layout.ts";

const digest = "0123456789abcdef".repeat(4);

describe("the keys in KV", () => {
  test("a document's key is read back as what it was made of", () => {
    const word = fc.stringMatching(/^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,20}[A-Za-z0-9])?$/);
    fc.assert(
      fc.property(word, word, word, (kind, namespace, name) => {
        expect(parsePolicyKey(policyKey({ kind, namespace, name }))).toEqual({ kind, namespace, name });
      }),
      { seed: 7, numRuns: 100 },
    );
  });

  test.each([
    "policies/HTTPRoute/default",
    "policies/HTTPRoute/default/a/b",
    "policies/HTTPRoute//a",
    "policies/HTTPRoute/default/..",
    "policies/HTTPRoute/default/a b",
    "policies/HTTPRoute/default/a\n",
    "Policies/HTTPRoute/default/a",
    `policies/HTTPRoute/default/${"a".repeat(600)}`,
    "heads/default/a",
    "",
  ])("refuses %j as the key of a document", (key) => {
    expect(parsePolicyKey(key)).toBeUndefined();
  });

  test("snapshots are named by 64 lower-case hex digits and nothing else", () => {
    expect(parseSnapshotKey(snapshotKey(digest))).toBe(digest);
    expect(() => snapshotKey(digest.toUpperCase())).toThrow(TypeError);
    expect(() => snapshotKey("../bundle")).toThrow(TypeError);
    expect(parseSnapshotKey("snapshots/short")).toBeUndefined();
  });

  test("heads are named by the service, which must be one", () => {
    expect(headKey("default/payments")).toBe("heads/default/payments");
    expect(() => headKey("payments")).toThrow(TypeError);
    expect(() => headKey("default/../payments")).toThrow(TypeError);
  });

  test("metadata that is not this worker's is nobody's", () => {
    expect(parseWrittenBy({ revision: 3, digest })).toEqual({ revision: 3, digest });
    for (const other of [null, undefined, {}, "x", { revision: "3", digest }, { revision: 3, digest: "x" }]) {
      expect(parseWrittenBy(other)).toBeUndefined();
    }
  });
});
