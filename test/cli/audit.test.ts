import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AuditAnswer, AuditEntry } from "@tulle/control/api/contract.ts";
import { describe, expect, test } from "vitest";
import { type Draft, seal } from "../../control/audit/entry.ts";
import { type StandIn, startStandIn } from "./stand-in.ts";
import { temporaryDirectory, tulleAt } from "./tulle.ts";

const draft = (change: Partial<Draft> = {}): Draft => ({
  actor: { name: "ci", role: "editor", token: "0123456789abcdef" },
  action: "policy.apply",
  objects: ["Service/default/web"],
  revision: { before: 41, after: 42 },
  reason: "",
  digest: "0".repeat(64),
  ...change,
});

/** A log as control keeps it. */
async function logOf(drafts: readonly Draft[]): Promise<AuditEntry[]> {
  const entries: AuditEntry[] = [];
  for (const each of drafts) {
    const last = entries.at(-1) ?? { sequence: 0, hash: "0".repeat(64) };
    const { hash, text } = await seal(each, last, 0, Date.UTC(2026, 10, 23, 10, last.sequence));
    entries.push({ ...JSON.parse(text), hash });
  }
  return entries;
}

/** Answers with the pages of a log. */
function serve(standIn: StandIn, entries: readonly AuditEntry[], pageSize = 2): void {
  standIn.handle("GET /api/audit", ({ url }, response) => {
    const after = Number(url.searchParams.get("after") ?? 0);
    const newest = url.searchParams.get("newest") === "1";
    const fits = entries.filter(({ sequence }) => sequence > after);
    const size = Math.min(Number(url.searchParams.get("limit")), newest ? 1_000 : pageSize);
    const ordered = newest ? fits.toReversed() : fits;
    const { sequence = 0, hash = "0".repeat(64) } = entries.at(-1) ?? {};
    const answer: AuditAnswer = {
      entries: ordered.slice(0, size),
      more: ordered.length > size,
      head: { sequence, hash },
    };
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(answer));
  });
}

const five = await logOf(Array.from({ length: 5 }, () => draft()));
const head = (entries: readonly AuditEntry[]): string => entries.at(-1)?.hash ?? "";
const heads = (directory: string): string => join(directory, ".tulle", "audit-heads.json");

describe("tulle audit", () => {
  test("shows who did what, newest first, and what was refused", async () => {
    await using standIn = await startStandIn();
    const admin = { name: "operator", role: "admin" } as const;
    serve(
      standIn,
      await logOf([
        draft({ objects: ["a", "b", "c", "d", "e"], reason: "first" }),
        draft({
          actor: admin,
          action: "token.create",
          objects: ["token/ci"],
          revision: { before: 42, after: 42 },
        }),
        draft({ outcome: "refused", revision: { before: 42, after: 42 } }),
      ]),
    );
    const ended = await tulleAt(standIn, ["audit"]);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(ended.stdout).toBe(
      [
        "#   AT                     ACTOR              ACTION                 OBJECTS               REVISION   REASON",
        "3   2026-11-23 10:02:00Z   ci (editor)        policy.apply REFUSED   Service/default/web   42",
        "2   2026-11-23 10:01:00Z   operator (admin)   token.create           token/ci              42",
        "1   2026-11-23 10:00:00Z   ci (editor)        policy.apply           a                     41 → 42    first",
        "                                                                     b",
        "                                                                     c",
        "                                                                     and 2 more",
        "",
      ].join("\n"),
    );
  });

  test("asks by time, actor and number, and with --limit 0 for all pages", async () => {
    await using standIn = await startStandIn();
    serve(standIn, five);
    const some = await tulleAt(standIn, ["audit", "--since", "2026-11-01", "--actor", "ci", "--limit", "3"]);
    expect(some.stderr).toContain("--limit");
    expect(Object.fromEntries(standIn.received[0]?.url.searchParams ?? [])).toEqual({
      since: "2026-11-01T00:00:00.000Z",
      actor: "ci",
      limit: "3",
      newest: "1",
    });
    const all = await tulleAt(standIn, ["audit", "--limit", "0", "-o", "json"]);
    expect(JSON.parse(all.stdout)).toEqual(five.toReversed());
    expect(await tulleAt(standIn, ["audit", "--since", "soon"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('a time such as "2027-01-31T00:00:00Z", or an age such as "7d"'),
    });
  });
});

describe("tulle audit verify", () => {
  test("walks all pages, shows the head, and remembers it", async () => {
    await using standIn = await startStandIn();
    using directory = temporaryDirectory();
    serve(standIn, five);
    const ended = await tulleAt(standIn, ["audit", "verify"], { cwd: directory.path });
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(ended.stdout).toBe(`The chain holds: 5 entries.\nhead 5 ${head(five)}\n`);
    expect(JSON.parse(readFileSync(heads(directory.path), "utf8"))).toEqual({
      [standIn.url]: { sequence: 5, hash: head(five) },
    });
  });

  test("says at which entry the chain breaks", async () => {
    await using standIn = await startStandIn();
    using directory = temporaryDirectory();
    serve(
      standIn,
      five.map((entry) => (entry.sequence === 3 ? { ...entry, reason: "nothing" } : entry)),
    );
    const ended = await tulleAt(standIn, ["audit", "verify", "-o", "json"], { cwd: directory.path });
    expect(ended.code).toBe(1);
    expect(JSON.parse(ended.stdout)).toMatchObject({ ok: false, brokenAt: 3 });
  });

  test("finds that the tail was cut off, from what it verified before", async () => {
    await using standIn = await startStandIn();
    using directory = temporaryDirectory();
    const verify = (...words: string[]) =>
      tulleAt(standIn, ["audit", "verify", ...words], { cwd: directory.path });
    serve(standIn, five);
    await verify();
    serve(standIn, five.slice(0, 3));
    const cut = await verify();
    expect(cut.code).toBe(1);
    expect(cut.stdout).toContain("BROKEN at 4: the log ends at 3, and entry 5 was verified before");
    expect(JSON.parse(readFileSync(heads(directory.path), "utf8"))[standIn.url].sequence).toBe(5);
    const other = await logOf(Array.from({ length: 7 }, () => draft({ reason: "other" })));
    serve(standIn, other);
    expect((await verify()).stdout).toContain("BROKEN at 5: entry 5 is another one than was verified before");
    expect(await verify("--forget")).toMatchObject({ code: 0 });
    expect(await verify()).toMatchObject({ code: 0 });
  });

  test("finds the same without a memory, from --head", async () => {
    await using standIn = await startStandIn();
    using directory = temporaryDirectory();
    const verify = (hash: string) =>
      tulleAt(standIn, ["audit", "verify", "--head", hash], { cwd: directory.path });
    serve(standIn, five);
    expect(await verify(five[3]?.hash ?? "")).toMatchObject({ code: 0 });
    serve(standIn, five.slice(0, 3));
    expect(await verify(five[3]?.hash ?? "")).toMatchObject({ code: 1 });
    expect(await verify("abc")).toMatchObject({ code: 2 });
  });

  test("takes entries that a checkpoint says were dropped for dropped, and no others", async () => {
    await using standIn = await startStandIn();
    using directory = temporaryDirectory();
    const verify = () => tulleAt(standIn, ["audit", "verify"], { cwd: directory.path });
    const [, second] = await logOf([draft(), draft()]);
    if (second === undefined) throw new Error("there are two");
    const through = { sequence: second.sequence, hash: second.hash };
    const whole = await logOf([
      draft(),
      draft(),
      draft(),
      draft({ action: "audit.checkpoint", through }),
      draft(),
    ]);
    serve(standIn, whole.slice(2));
    expect(await verify()).toMatchObject({ code: 0, stdout: expect.stringContaining("3 entries") });
    serve(standIn, whole.slice(3));
    expect((await verify()).stdout).toContain("BROKEN at 3: the entries before 4 are missing");
  });

  test("does not show a memory that it cannot read as an empty one", async () => {
    await using standIn = await startStandIn();
    using directory = temporaryDirectory();
    serve(standIn, five);
    await tulleAt(standIn, ["audit", "verify"], { cwd: directory.path });
    writeFileSync(heads(directory.path), "{");
    const ended = await tulleAt(standIn, ["audit", "verify"], { cwd: directory.path });
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toContain("audit-heads.json");
  });
});
