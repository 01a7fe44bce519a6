import { describe, expect, test } from "vitest";
import { settingsOf } from "../../../mesh-runtime/adapters/deno/settings.ts";

const environment =
  (variables: Readonly<Record<string, string>>) =>
  (name: string): string | undefined =>
    variables[name];
const from = (TULLE_URL: string) =>
  settingsOf({}, environment({ TULLE_URL, TULLE_SERVICE: "shipping", TULLE_JOIN_TOKEN: "secret" }));

describe("where a process runs", () => {
  const settled = { TULLE_URL: "https://control.example.com", TULLE_SERVICE: "shipping" };
  test.each([
    [{}, undefined],
    [{ DENO_REGION: "europe-west3" }, { region: "europe-west3" }],
    [
      { DENO_REGION: "europe-west3", TULLE_REGION: "eu", TULLE_ZONE: "fra" },
      { region: "eu", zone: "fra" },
    ],
    [{ TULLE_ZONE: "fra", TULLE_REGION: "" }, { zone: "fra" }],
  ])("is said by %j", (variables, expected) => {
    expect(settingsOf({}, environment({ ...settled, ...variables })).here).toEqual(expected);
  });
});

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

describe("the evidence", () => {
  const variables = environment({
    TULLE_URL: "https://control.example.com",
    TULLE_SERVICE: "shipping",
    TULLE_JOIN_TOKEN: "secret",
  });
  const idToken = async (): Promise<string> => "token";

  test("is a join token, or the platform's word, which goes before one in the environment", () => {
    expect(settingsOf({}, variables)).toMatchObject({ joinToken: "secret", idToken: undefined });
    expect(settingsOf({ idToken }, variables)).toMatchObject({ joinToken: undefined, idToken });
  });

  test("is not both by the application's own will, and the message tells no token", () => {
    expect(() => settingsOf({ idToken, joinToken: "secret" }, variables)).toThrow(/not both/);
    expect(() => settingsOf({ idToken, joinToken: "secret" }, variables)).not.toThrow(/secret/);
  });
});
