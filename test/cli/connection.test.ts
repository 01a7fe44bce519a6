import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { connectionFrom } from "../../cli/connection.ts";
import { operatorToken, startStandIn } from "./stand-in.ts";
import { temporaryDirectory, tulle, tulleAt } from "./tulle.ts";

/** An address at which nothing listens: the stand-in was there and is gone. */
async function closedUrl(): Promise<string> {
  await using standIn = await startStandIn();
  return standIn.url;
}

describe("control that does not answer", () => {
  test("exits with 5, says which address was tried and what to do", async () => {
    const url = await closedUrl();
    const ended = await tulle(["status", "--url", url]);
    expect(ended).toMatchObject({ code: 5, stdout: "" });
    expect(ended.stderr).toContain(`Cannot reach control at ${url}: nothing listens there (ECONNREFUSED).`);
    expect(ended.stderr).toContain("npm start");
    expect(ended.stderr).toContain("TULLE_URL");
  });

  test("check shows it as a failed line and exits with 5 too", async () => {
    const url = await closedUrl();
    const ended = await tulle(["check"], { env: { TULLE_URL: url } });
    expect(ended.code).toBe(5);
    expect(ended.stdout).toContain(`failed   control reachable: Cannot reach control at ${url}`);
  });

  test("gives up after --timeout", async () => {
    await using standIn = await startStandIn();
    standIn.handle("GET /api/status", () => undefined);
    const ended = await tulleAt(standIn, ["status", "--timeout", "50ms"]);
    expect(ended).toMatchObject({ code: 5, stdout: "" });
    expect(ended.stderr).toContain("did not answer within 50 ms");
  });

  test.each([
    ["fails itself", 500],
    ["is overloaded", 503],
  ])("exits with 5 when it %s", async (_what, status) => {
    await using standIn = await startStandIn();
    standIn.problem("GET /api/status", status, "The policy object is resetting");
    const ended = await tulleAt(standIn, ["status"]);
    expect(ended.code).toBe(5);
    expect(ended.stderr).toContain(`failed (${status}): The policy object is resetting.`);
  });

  test.each([
    ["a page", 200, "text/html", "<h1>Welcome</h1>"],
    ["other JSON", 200, "application/json", '{"hello":"world"}'],
    ["something that calls itself JSON", 200, "application/json", "{"],
    ["a redirect", 302, "text/plain", ""],
    ["a 404 that is no problem", 404, "text/plain", "not found"],
  ])("tells a stranger at its address apart: %s", async (_what, status, type, body) => {
    await using standIn = await startStandIn();
    standIn.handle("GET /api/status", (_request, response) => {
      response.writeHead(status, { "content-type": type, location: "http://127.0.0.1:1/" });
      response.end(body);
    });
    const ended = await tulleAt(standIn, ["status"]);
    expect(ended).toMatchObject({ code: 5, stdout: "" });
    expect(ended.stderr).toContain(
      `What answers at ${standIn.url} does not speak Tulle's API: status ${status}`,
    );
  });
});

describe("the operator token", () => {
  test("none: exits with 4 and says where to put one", async () => {
    await using standIn = await startStandIn();
    const ended = await tulle(["status", "--url", standIn.url]);
    expect(ended).toMatchObject({ code: 4, stdout: "" });
    expect(ended.stderr).toContain("wants an operator token, and none was given");
    expect(ended.stderr).toContain("TULLE_TOKEN");
    expect(standIn.received[0]?.token).toBeUndefined();
  });

  test("a wrong one: exits with 4, says where it came from and what control said, and does not print it", async () => {
    await using standIn = await startStandIn();
    const ended = await tulleAt(standIn, ["status"], { env: { TULLE_TOKEN: "expired-secret-token" } });
    expect(ended).toMatchObject({ code: 4, stdout: "" });
    expect(ended.stderr).toContain(
      "the token from TULLE_TOKEN: The operator token is not valid. It is not the one of this mesh.",
    );
    expect(ended.stderr).toContain("Ask whoever runs the mesh for a new one.");
    expect(ended.stderr).not.toContain("expired-secret-token");
  });

  test("is not printed even if the other side repeats it", async () => {
    await using standIn = await startStandIn();
    standIn.problem("GET /api/status", 403, `You sent ${operatorToken}`);
    const ended = await tulleAt(standIn, ["status"]);
    expect(ended.code).toBe(4);
    expect(ended.stdout + ended.stderr).not.toContain(operatorToken);
  });

  test("is found in .tulle/token of the nearest directory above", async () => {
    await using standIn = await startStandIn();
    using directory = temporaryDirectory();
    mkdirSync(join(directory.path, "shop", ".tulle"), { recursive: true });
    mkdirSync(join(directory.path, "shop", "workers", "web"), { recursive: true });
    mkdirSync(join(directory.path, ".tulle"));
    writeFileSync(join(directory.path, "shop", ".tulle", "token"), `${operatorToken}\n`);
    writeFileSync(join(directory.path, ".tulle", "token"), "farther");
    standIn.answer("GET /api/policies", []);
    const cwd = join(directory.path, "shop", "workers", "web");
    expect(await tulle(["get", "--url", standIn.url], { cwd })).toMatchObject({ code: 0 });
  });

  test("a stale .tulle/token says that the mesh writes it anew", async () => {
    await using standIn = await startStandIn();
    using directory = temporaryDirectory();
    mkdirSync(join(directory.path, ".tulle"));
    writeFileSync(join(directory.path, ".tulle", "token"), "of-the-last-start");
    const ended = await tulle(["get", "--url", standIn.url], { cwd: directory.path });
    expect(ended.code).toBe(4);
    expect(ended.stderr).toContain("run `npm start` again");
  });

  test("comes from --token before --token-file before TULLE_TOKEN", async () => {
    await using standIn = await startStandIn();
    using directory = temporaryDirectory();
    writeFileSync(join(directory.path, "secret"), "from-file");
    const all = ["--token-file", "secret", "--token", "from-option"];
    for (const words of [all, all.slice(0, 2), []])
      await tulleAt(standIn, ["get", ...words], { cwd: directory.path });
    expect(standIn.received.map(({ token }) => token)).toEqual(["from-option", "from-file", operatorToken]);
  });

  test("that is malformed is refused without being printed", async () => {
    const ended = await tulle(["status", "--token", "secret\nsecond-line"]);
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toContain("The token from --token is not one");
    expect(ended.stderr).not.toContain("second-line");
  });
});

describe("connectionFrom()", () => {
  const inDemo = (url: string, env: Record<string, string> = {}) => {
    using directory = temporaryDirectory();
    mkdirSync(join(directory.path, ".tulle"));
    writeFileSync(join(directory.path, ".tulle", "token"), "demo-token");
    return connectionFrom({ url }, { env, directory: directory.path });
  };

  test.each([
    "http://127.0.0.1:8788",
    "http://127.1:8788",
    "http://localhost:1234",
    "http://[::1]:80",
    "https://127.9.9.9",
  ])("sends the demo's token to loopback: %s", (url) => {
    expect(inDemo(url).token).toBe("demo-token");
  });

  test.each([
    "https://control.example.com",
    "https://localhost.example.com",
    "https://127.0.0.1.example.com",
    "https://192.168.0.1",
    "http://control.example.com",
    "https://[::ffff:8.8.8.8]",
  ])("sends it nowhere else: %s", (url) => {
    expect(inDemo(url).token).toBeUndefined();
  });

  test("refuses to send any token to another machine unencrypted", () => {
    expect(() => inDemo("http://control.example.com", { TULLE_TOKEN: "t" })).toThrow("unencrypted");
    expect(inDemo("https://control.example.com", { TULLE_TOKEN: "t" }).token).toBe("t");
  });

  test.each([
    "nonsense",
    "ftp://a",
    "http://user:pass@localhost",
    "http://localhost?x",
    "http://localhost#x",
    "file:///etc",
  ])("refuses the address %s without repeating it", (url) => {
    const attempt = () => connectionFrom({ url }, { env: {}, directory: "/" });
    expect(attempt).toThrow("must be an http or https URL");
    expect(attempt).not.toThrow(url);
  });

  test("keeps a path in front of the API, without a slash too many", () => {
    const { url } = connectionFrom({ url: "https://example.com/mesh/" }, { env: {}, directory: "/" });
    expect(url).toBe("https://example.com/mesh");
  });

  test("looks at --url, then TULLE_URL, then this machine", () => {
    const env = { TULLE_URL: "https://b.example" };
    expect(connectionFrom({ url: "https://a.example" }, { env, directory: "/" }).url).toBe(
      "https://a.example",
    );
    expect(connectionFrom({}, { env, directory: "/" }).url).toBe("https://b.example");
    expect(connectionFrom({}, { env: { TULLE_URL: "" }, directory: "/" }).url).toBe("http://127.0.0.1:8788");
  });
});
