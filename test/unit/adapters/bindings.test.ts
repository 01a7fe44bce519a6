import { expect, test } from "vitest";
import { pinnedRoots } from "../../../mesh-runtime/adapters/cloudflare/bindings.ts";

const key = (x: string) => ({ kty: "EC", crv: "P-256", alg: "ES256", x, y: "y" });
const pinned = (value: unknown) =>
  pinnedRoots({ TULLE_ROOT: typeof value === "string" ? value : JSON.stringify(value) });

test("TULLE_ROOT pins one root key, or two while the root rolls", () => {
  expect(pinned(key("a"))).toEqual({ ok: true, value: [key("a")] });
  expect(pinned([key("a"), key("b")])).toEqual({ ok: true, value: [key("a"), key("b")] });
});

test("TULLE_ROOT pins nothing when it is absent or empty", () => {
  for (const bindings of [{}, { TULLE_ROOT: "" }])
    expect(pinnedRoots(bindings)).toEqual({ ok: true, value: undefined });
});

test.each([
  ["a text", "perhaps-a-secret"],
  ["no key", "[]"],
  ["three keys", [key("a"), key("b"), key("c")]],
  ["a key and something else", [key("a"), "b"]],
  ["a key of another kind", { kty: "oct", k: "secret" }],
  ["null", "null"],
])("TULLE_ROOT with %s is told, and its value is not repeated", (_what, value) => {
  const read = pinned(value);
  expect(read.ok).toBe(false);
  expect(read.ok ? "" : read.reason).not.toMatch(/secret/);
});
