import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { exit } from "../../cli/exit-codes.ts";
import manifest from "../../cli/package.json" with { type: "json" };
import { printable } from "../../cli/terminal.ts";
import { startStandIn } from "./stand-in.ts";
import { launcher, temporaryDirectory, tulle, tulleAt } from "./tulle.ts";

/** Lets the launcher believe that an older Node.js runs it, which is not the workspace's own. */
const older = [
  "--import",
  `data:text/javascript,${encodeURIComponent(`
  Object.defineProperty(process.features, "typescript", { value: undefined });
  process.execPath = ${JSON.stringify(launcher)};
`)}`,
];

describe("the launcher", () => {
  test("runs through a link from anywhere, as node_modules/.bin has one", () => {
    using directory = temporaryDirectory();
    const link = join(directory.path, "tulle");
    symlinkSync(launcher, link);
    const ended = spawnSync(process.execPath, [link, "--version"], { cwd: directory.path, encoding: "utf8" });
    expect(ended).toMatchObject({ status: 0, stdout: `${manifest.version}\n`, stderr: "" });
  });

  test("keeps what Node.js made of its files, and needs no such folder to begin", async () => {
    const kept = fileURLToPath(new URL("../../node_modules/.cache/tulle/cli", import.meta.url));
    rmSync(kept, { recursive: true, force: true, maxRetries: 5 });
    expect(await tulle(["--version"])).toMatchObject({ code: 0, stderr: "" });
    expect(readdirSync(kept, { recursive: true }).length).toBeGreaterThan(10);
    expect(await tulle(["--version"])).toMatchObject({ code: 0, stderr: "" });
  });

  test("hands over from an older Node.js, with words, stdin and exit code", async () => {
    await using standIn = await startStandIn();
    standIn.problem("POST /api/policies", 409, "Too late");
    const ended = await tulleAt(standIn, ["apply", "-f", "-", "--reason", "two words"], {
      node: older,
      stdin: "kind: x",
    });
    expect(ended).toMatchObject({ code: 3, stdout: "" });
    expect(standIn.received[0]?.body).toMatchObject({ reason: "two words", sources: [{ text: "kind: x" }] });
  });

  test("hands signals over too, and ends by the same one", async () => {
    await using standIn = await startStandIn();
    const ended = await tulleAt(standIn, ["status"], {
      node: older,
      started: (child) => standIn.handle("GET /api/status", () => child.kill("SIGTERM")),
    });
    expect(ended).toMatchObject({ code: null, signal: "SIGTERM" });
  });

  test("ends, and does not start itself for ever, where nothing newer is to be had", async () => {
    const ended = await tulle(["--version"], { env: { NODE_OPTIONS: "--no-strip-types" } });
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toContain("tulle needs Node.js 22.18 or newer");
  });
});

describe("the command line", () => {
  test("lists commands, exit codes and environment with --help", async () => {
    const ended = await tulle(["--help"]);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    for (const word of [
      "apply",
      "get",
      "delete",
      "undo",
      "history",
      "status",
      "check",
      "stat",
      "trace",
      "identity",
      "sync",
    ])
      expect(ended.stdout).toMatch(new RegExp(`^ {2}${word}\\b`, "m"));
    expect(ended.stdout).toMatch(/^ {2}5 {2}control was not reached/m);
  });

  test("has a section of docs/cli.md for each command, and its exit codes there", async () => {
    const page = readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8");
    const help = (await tulle(["--help"])).stdout;
    const commands = [...help.matchAll(/^ {2}([a-z]+) .*\S/gm)]
      .map(([, name]) => name)
      .filter((name) => name !== "help");
    expect(commands.length).toBeGreaterThan(10);
    for (const name of commands) expect(page).toMatch(new RegExp(`^### .*\`tulle ${name}\\b`, "m"));
    for (const code of Object.values(exit)) expect(page).toContain(`\n| ${code} | `);
  });

  test("shows the global options in the help of each command", async () => {
    expect((await tulle(["identity", "token", "--help"])).stdout).toContain("--token-file <file>");
  });

  test.each([
    ["nothing", [], "Usage: tulle"],
    ["an unknown command", ["aply"], "Did you mean apply?"],
    ["an unknown option", ["status", "--exitcode"], "Did you mean --exit-code?"],
    ["too many words", ["status", "web"], "too many arguments"],
    ["a timeout that is none", ["status", "--timeout", "0s"], "--timeout wants"],
  ])("exits with 2 for %s", async (_what, words, message) => {
    const ended = await tulle(words);
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toContain(message);
  });

  test("ends by the signal that it gets", async () => {
    await using standIn = await startStandIn();
    const ended = await tulleAt(standIn, ["status"], {
      started: (child) => standIn.handle("GET /api/status", () => child.kill("SIGTERM")),
    });
    expect(ended).toMatchObject({ code: null, signal: "SIGTERM" });
  });

  test("does not mind when nobody reads to the end", async () => {
    await using standIn = await startStandIn();
    const text = "x".repeat(1_000_000);
    standIn.answer("GET /api/policies", [
      { kind: "Service", namespace: "default", name: "web", revision: 1, text },
    ]);
    const ended = await tulleAt(standIn, ["get", "-o", "yaml"], {
      started: (child) => child.stdout?.destroy(),
    });
    expect(ended).toMatchObject({ code: 0, stderr: "" });
  });

  test("uses no colours where nobody sees them", async () => {
    const ended = await tulle(["status", "--url", "http://[::1]:9"], { env: { FORCE_COLOR: "1" } });
    expect(ended.stderr).toContain("error: ");
    expect(ended.stderr).not.toContain("\u001b");
  });
});

describe("printable()", () => {
  test("keeps line breaks, tabs and colours, and shows every other control character", () => {
    for (let code = 0; code < 0x250; code++) {
      const character = String.fromCodePoint(code);
      const control = code < 0x20 || (code >= 0x7f && code < 0xa0);
      const kept = !control || character === "\n" || character === "\t";
      expect(printable(character)).toBe(kept ? character : `\\u${code.toString(16).padStart(4, "0")}`);
    }
    expect(printable("\u001b[31mred\u001b[39m")).toBe("\u001b[31mred\u001b[39m");
    expect(printable("a\r\nb\rc")).toBe("a\r\nb\\u000dc");
    expect(printable("\u001b[2Jcleared\u202e")).toBe("\\u001b[2Jcleared\\u202e");
  });
});
