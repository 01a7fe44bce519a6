import { expect, test } from "vitest";
import { randomIds } from "../../../mesh-runtime/telemetry/ids.ts";

test("randomIds() writes every byte as two lower-case hex digits", () => {
  const ids = randomIds((bytes) =>
    bytes.forEach((_, index) => {
      bytes[index] = 0xf0 + index;
    }),
  );
  expect(ids.traceId()).toBe("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
  expect(ids.spanId()).toBe("0001020304050607");
});

test("randomIds() never answers the all-zero id, which means no id on the wire", () => {
  const ids = randomIds(() => {});
  expect(ids.traceId()).toBe(`${"0".repeat(31)}1`);
  expect(ids.spanId()).toBe(`${"0".repeat(15)}1`);
});

test("ids from the runtime's random bytes do not repeat", () => {
  const ids = randomIds((bytes) => {
    crypto.getRandomValues(bytes);
  });
  const drawn = Array.from({ length: 1_000 }, () => ids.spanId());
  expect(new Set(drawn).size).toBe(1_000);
});
