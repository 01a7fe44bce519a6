import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { VerificationAnswer } from "@tulle/control/api/contract.ts";
import { beforeAll, describe, expect, test } from "vitest";
import { openControl } from "../../cli/client.ts";
import { type IdentityExplainOptions, reportOn } from "../../cli/commands/identity-explain.ts";
import { connectionFrom } from "../../cli/connection.ts";
import { type IdentityReport, identityText } from "../../cli/identity-explanation.ts";
import { type VerifierOptions, verifierFrom } from "../../cli/verifier.ts";
import {
  bundlePayload,
  caller,
  makeWorld,
  now,
  self,
  signBundle,
  signedMessage,
  validMessage,
  type World,
} from "../unit/identity/fixture.ts";
import { operatorToken, type StandIn, startStandIn } from "./stand-in.ts";
import { type Ended, temporaryDirectory, tulle, tulleAt } from "./tulle.ts";

const body = '{"amount":3}';
/** SHA-256 of the body, by `openssl dgst`. */
const digest = "sha-256=:bUcBDkB926R9hGDpw5hOUVMJ/RXq8V0lBedsvSE9+RU=:";
const capturedAt = now + 2_000;
const captured = new Date(capturedAt).toISOString();
const lateAt = now + 210_000;
const late = new Date(lateAt).toISOString();

let world: World;
let bundle: string;
/** The headers of a sound request with a body. */
let headers: readonly (readonly [string, string])[];
beforeAll(async () => {
  world = await makeWorld();
  bundle = await signBundle(world.root, bundlePayload(world.issuer));
  const message = validMessage({
    "content-type": "application/json",
    "content-digest": digest,
    "tulle-hops": "1",
  });
  headers = [...(await signedMessage(world, message)).headers];
});

const inbound = {
  mode: "STRICT",
  evidence: "signature",
  maxDigestBytes: 1_048_576,
  largeBody: "reject",
} as const;
const answer = (): VerificationAnswer => ({
  bundle,
  rootKeys: [world.root.publicJwk],
  service: { service: "default/payments", spiffeId: self, inbound },
});
async function control(): Promise<StandIn> {
  const standIn = await startStandIn();
  standIn.answer("GET /api/identity/verification", answer());
  return standIn;
}

const lines = (of = headers): string => of.map(([name, value]) => `${name}: ${value}`).join("\r\n");
const raw = (): string => `POST /charge?amount=3&note= HTTP/1.1\r\nhost: payments\r\n${lines()}\r\n\r\n`;
/** The command itself, as a process of its own. */
const explain = (standIn: StandIn, text: string, ...words: string[]): Promise<Ended> =>
  tulleAt(standIn, ["identity", "explain", "-", ...words], { stdin: text });
/** What it answers as JSON. */
const reported = (
  standIn: StandIn,
  text: string,
  options: IdentityExplainOptions = {},
): Promise<IdentityReport> => {
  const surroundings = { env: { TULLE_TOKEN: operatorToken }, directory: "/" };
  const control = openControl(connectionFrom({ url: standIn.url }, surroundings));
  return reportOn({ control, terminal: { stdin: async () => text } }, "-", options);
};

describe("tulle identity explain", () => {
  test("says of a sound request who it is from, every check with its clause, and exits with 0", async () => {
    await using standIn = await control();
    const ended = await explain(standIn, raw(), "--service", "payments", "--at", captured);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    const [verdict = "", note = "", gap, judged, first] = ended.stdout.split("\n");
    expect(verdict).toBe(`accepted: ${caller}, known by its signature`);
    expect(note).toMatch(
      /^ {2}note: It is refused at .*, which is now, \d+ d after: trust-domain: the trust bundle/,
    );
    expect([gap, judged]).toEqual(["", `Judged as ${self}, at ${captured}`]);
    expect(first).toBe("passed       headers of the proof           WIMSE http-signature §3");
    expect(ended.stdout).toContain("\nnot known    body ");
    expect(standIn.received.map(({ url }) => url.search)).toEqual(["?service=default%2Fpayments"]);
  });

  test("says what failed, what to look at, and that it was valid when it was captured; exit code 1", async () => {
    await using standIn = await control();
    const text = `${raw().trimEnd()}\r\ndate: ${new Date(now + 2_000).toUTCString()}\r\n`;
    const report = await reported(standIn, text, { at: lateAt });
    expect(report.notes[0]).toMatch(
      /^It was valid at .*, when the file says that it was captured, 3 min before\.$/,
    );
    expect(report).toMatchObject({ accepted: false, refusal: { step: "clock" }, audience: self, at: late });
    const ended = await explain(standIn, raw(), "--at", late);
    expect(ended.code).toBe(1);
    expect(ended.stdout.split("\n").slice(0, 3)).toEqual([
      "refused unidentified, clock: the proof has expired",
      "  Judge it at the time when it was captured, with --at; if it fails then too, compare the two clocks.",
      `  note: It was valid at ${new Date(now).toISOString()}, when its proof says that it was made, 3 min before.`,
    ]);
    expect(ended.stdout).toMatch(
      /\nfailed {7}time .*\n {13}clock: the proof has expired\n.*\n {13}expires .*, 3 min before\n/,
    );
    expect(ended.stdout).toMatch(/\nnot reached {2}evidence/);
  });

  test("without --at it judges now, and says of another time what it would change", async () => {
    await using standIn = await control();
    const lasting = await signBundle(world.root, { ...bundlePayload(world.issuer), exp: 9e9 });
    standIn.answer("GET /api/identity/verification", { ...answer(), bundle: lasting });
    const dated = `${raw().trimEnd()}\r\ndate: ${new Date(now + 2_000).toUTCString()}\r\n\r\n`;
    expect((await reported(standIn, dated)).notes[0]).toMatch(
      /^It was valid at .*, when the file says that it was captured, \d+ d before\.$/,
    );
    expect((await reported(standIn, raw())).notes[0]).toMatch(
      /^It was valid at .*, when its proof says that it was made, \d+ d before\.$/,
    );
  });

  test("compares the body from a file, or from behind the headers", async () => {
    await using standIn = await control();
    using directory = temporaryDirectory();
    const [right, wrong] = [join(directory.path, "right"), join(directory.path, "wrong")];
    writeFileSync(right, body);
    writeFileSync(wrong, `${body}\n`);
    const bodyOf = async (text: string, kept: string | undefined = undefined) =>
      (
        await reported(standIn, text, { at: capturedAt, ...(kept === undefined ? {} : { body: kept }) })
      ).checks.find(({ name }) => name === "body");
    expect(await bodyOf(raw(), right)).toMatchObject({ outcome: "passed" });
    expect(await bodyOf(raw(), wrong)).toMatchObject({
      outcome: "failed",
      detail: "digest: the body is not the one of Content-Digest",
    });
    expect(await bodyOf(raw() + body)).toMatchObject({ outcome: "passed" });
    const sized = raw().replace("host:", `content-length: ${body.length}\r\nhost:`);
    expect(await bodyOf(`${sized}${body}\n`)).toMatchObject({ outcome: "passed" });
  });

  test("prints neither token nor signature nor query, whatever it says", async () => {
    await using standIn = await control();
    const secret = /eyJ[\w-]{20}|:[A-Za-z0-9+/]{80}|amount=3/;
    for (const options of [
      {},
      { at: capturedAt },
      { method: "PUT", at: capturedAt },
      { audience: `${self}2` },
    ]) {
      const report = await reported(standIn, raw(), options);
      expect(report.checks.length).toBeGreaterThan(20);
      expect(JSON.stringify(report) + identityText({ paint: (_look, text) => text }, report)).not.toMatch(
        secret,
      );
    }
    const { stdout } = await explain(standIn, raw(), "-o", "yaml", "--at", captured);
    expect(stdout).toMatch(/^accepted: true\n/);
    expect(stdout).not.toMatch(secret);
  });

  test("judges as another service, and by what the service demands", async () => {
    await using standIn = await control();
    const spiffeId = self.replace("payments", "refunds");
    standIn.answer("GET /api/identity/verification", {
      ...answer(),
      service: { service: "default/refunds", spiffeId, inbound: { ...inbound, evidence: "binding" } },
    });
    const report = await reported(standIn, raw(), { service: "refunds", at: capturedAt });
    expect(report).toMatchObject({ refusal: { step: "audience" }, audience: spiffeId });
    const bare = "GET /charge HTTP/1.1\nhost: refunds\naccept: */*\n";
    expect(await reported(standIn, bare, { service: "refunds", binding: "web" })).toMatchObject({
      accepted: true,
      caller: { spiffeId: caller, evidence: "binding" },
    });
    expect(await reported(standIn, bare, { service: "refunds" })).toMatchObject({
      refusal: { step: "missing" },
    });
  });

  test("asks nobody where the bundle is in a file, and believes it by the root key that is given", async () => {
    await using standIn = await control();
    using directory = temporaryDirectory();
    const path = (name: string, text: string): string => {
      writeFileSync(join(directory.path, name), text);
      return join(directory.path, name);
    };
    const signed = path("bundle", bundle);
    const root = path("root.json", JSON.stringify([world.root.publicJwk]));
    const other = path("other.json", JSON.stringify(world.issuer.publicJwk));
    const report = await reported(standIn, raw(), { bundle: signed, rootKey: root, at: capturedAt });
    expect(report).toMatchObject({ accepted: true, audience: self });
    expect(report.notes.join()).toContain("the mesh's defaults are taken");
    expect(standIn.received).toEqual([]);
    const whole = path("answer.json", JSON.stringify(answer()));
    expect(
      (await reported(standIn, raw(), { bundle: whole, service: "payments", at: capturedAt })).accepted,
    ).toBe(true);

    const roots = await signBundle(world.root, {
      ...bundlePayload(world.issuer),
      roots: [world.root.publicJwk],
    });
    const own = await reported(standIn, raw(), { bundle: path("own", roots), at: capturedAt });
    expect(own.notes.join()).toContain("by the root keys that it names itself");
    for (const options of [{ bundle: signed }, { bundle: signed, rootKey: other }])
      await expect(reported(standIn, raw(), options)).rejects.toThrow("The trust bundle in ");
  });
});

describe("what cannot be judged", () => {
  /** Where nobody listens: nothing here is asked of it. */
  const unasked = openControl(connectionFrom({ url: "http://127.0.0.1:9" }, { env: {}, directory: "/" }));

  test.each<readonly [string, VerifierOptions, RegExp]>([
    ["nobody to judge", {}, /does not say whom it is for/],
    ["two to judge", { service: "a", audience: self }, /exclude each other/],
    ["an audience that is none", { audience: "payments" }, /The audience must be a SPIFFE ID/],
    ["a root key without its bundle", { service: "a", rootKey: "x" }, /give --bundle, too/],
    ["a bundle that is not there", { bundle: "/nowhere" }, /Cannot read \/nowhere \(ENOENT\)/],
  ])("is told: %s", async (_what, options, message) => {
    await expect(verifierFrom(unasked, options, undefined)).rejects.toThrow(message);
  });

  test("is told: no method, no URL, or one that is none, and not a word of it", async () => {
    await using standIn = await control();
    const accept = "accept: */*\n";
    await expect(reported(standIn, accept)).rejects.toThrow("does not say the request's method");
    await expect(reported(standIn, accept, { method: "GET" })).rejects.toThrow(
      "does not say the request's URL",
    );
    const secret = { method: "GET", requestUrl: "ftp://secret" };
    const failure = await reported(standIn, accept, secret).catch((error: unknown) => String(error));
    expect(failure).toMatch(/The request's URL must be like/);
    expect(failure).not.toContain("secret");
  });

  test("a time that is none exits with 2", async () => {
    const ended = await tulle(["identity", "explain", "-", "--at", "yesterday"], {
      stdin: "GET / HTTP/1.1\na: b\n",
    });
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toMatch(/It must be a time such as/);
  });
});
