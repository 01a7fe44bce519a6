import { describe, expect, test } from "vitest";
import { settingsOf } from "../../../mesh-runtime/adapters/deno/settings.ts";

const environment =
  (variables: Readonly<Record<string, string>>) =>
  (name: string): string | undefined =>
    variables[name];
const from = (TULLE_URL: string) =>
  settingsOf({}, environment({ TULLE_URL, TULLE_SERVICE: "shipping", TULLE_JOIN_TOKEN: "secret" }));

describe("the address of control", () => {
  test.each([
    "https://control.example.com",
    "http://127.0.0.1:8788",
    "http://localhost:8788",
    "http://[::1]:8788",
  ])("may be %s", (url) => {
    expect(from(url)).toMatchObject({ controlUrl: url, workload: "default/shipping", joinToken: "secret" });
  });

  test.each([
    "http://control.example.com",
    "http://10.0.0.1:8788",
    "http://127.0.0.1.example.com",
    "http://localhost.example.com",
    "ftp://127.0.0.1",
    "file:///control",
  ])("may not be %s: a join token would cross the network for all to read", (url) => {
    expect(() => from(url)).toThrow(/https/);
    expect(() => from(url)).not.toThrow(/secret/);
  });
});
