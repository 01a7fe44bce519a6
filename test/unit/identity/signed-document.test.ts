import { beforeAll, describe, expect, test } from "vitest";
import { generateKeys } from "../../../mesh-runtime/identity/credential.ts";
import { openDocument, signDocument } from "../../../mesh-runtime/identity/signed-document.ts";
import { makeWorld, publicKeyOf, rawJws, type World } from "./fixture.ts";

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});

const type = "tulle-head+jwt";
const payload = { workload: "default/web", epoch: 3 };

describe("openDocument()", () => {
  test("gives back what the root key signed", async () => {
    const jws = await signDocument(payload, type, "root-1", world.root.privateKey);
    expect(await openDocument(jws, type, world.rootKey)).toEqual({ ok: true, value: payload });
  });

  test("refuses a document of another type, so that a bundle is never a head", async () => {
    const jws = await signDocument(payload, "tulle-bundle+jwt", "root-1", world.root.privateKey);
    expect((await openDocument(jws, type, world.rootKey)).ok).toBe(false);
  });

  test("refuses what another key signed, even when the header brings that key", async () => {
    const other = await generateKeys();
    const header = JSON.stringify({ alg: "ES256", typ: type, jwk: other.publicJwk });
    const jws = await rawJws(header, JSON.stringify(payload), other);
    expect((await openDocument(jws, type, world.rootKey)).ok).toBe(false);
    expect((await openDocument(jws, type, await publicKeyOf(other))).ok).toBe(true);
  });

  test.each([
    ["alg none", `{"alg":"none","typ":"${type}"}`],
    ["alg HS256", `{"alg":"HS256","typ":"${type}"}`],
    ["alg ES384", `{"alg":"ES384","typ":"${type}"}`],
    ["no alg", `{"typ":"${type}"}`],
    ["an unknown critical member", `{"alg":"ES256","typ":"${type}","crit":["exp"],"exp":1}`],
    ["an unencoded payload", `{"alg":"ES256","typ":"${type}","crit":["b64"],"b64":false}`],
    ["the long form of the type", `{"alg":"ES256","typ":"application/${type}"}`],
    ["another spelling of the type", `{"alg":"ES256","typ":"${type.toUpperCase()}"}`],
  ])("refuses %s", async (_, header) => {
    const jws = await rawJws(header, JSON.stringify(payload), world.root);
    expect((await openDocument(jws, type, world.rootKey)).ok).toBe(false);
  });

  test.each(["[]", '"text"', "null", "{", ""])("refuses the payload %s", async (text) => {
    const jws = await rawJws(`{"alg":"ES256","typ":"${type}"}`, text, world.root);
    expect((await openDocument(jws, type, world.rootKey)).ok).toBe(false);
  });

  test.each(["", "a", "a.b", "a.b.c", "a.b.c.d", "...."])("refuses %j, which is no JWS", async (text) => {
    expect((await openDocument(text, type, world.rootKey)).ok).toBe(false);
  });

  test("does not look at a document beyond the limit", async () => {
    const jws = await signDocument({ filler: "a".repeat(262_144) }, type, "root-1", world.root.privateKey);
    const opened = await openDocument(jws, type, world.rootKey);
    expect(opened).toEqual({ ok: false, reason: expect.stringContaining("262144") });
  });

  test("never repeats a part of the document in its reason", async () => {
    const opened = await openDocument("c2VjcmV0.c2VjcmV0.c2VjcmV0", type, world.rootKey);
    expect(JSON.stringify(opened)).not.toMatch(/c2Vj|secret/);
  });
});
