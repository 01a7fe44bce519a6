import { describe, expect, test } from "vitest";
import { access, allows, type Role, roles } from "../../../control/api/access.ts";
import { callerOf } from "../../../control/api/caller.ts";

const now = Date.UTC(2026, 10, 1);
const unknown = async () => ({ kind: "unknown" }) as const;
const secrets = { TULLE_OPERATOR_TOKEN: "operator-0123456789", TULLE_VIEWER_TOKEN: "viewer-0123456789" };

async function refused(authorization: string | null, given: Parameters<typeof callerOf>[1] = secrets) {
  const caller = await callerOf(authorization, given, now, unknown);
  if (!(caller instanceof Response)) throw new Error(`let in as ${caller.name}`);
  return { status: caller.status, headers: caller.headers, body: await caller.json<{ title: string }>() };
}

describe("callerOf()", () => {
  test("knows the operator and the viewer by their tokens", async () => {
    expect(await callerOf("Bearer operator-0123456789", secrets, now, unknown)).toEqual({
      name: "operator",
      role: "admin",
    });
    expect(await callerOf("bearer viewer-0123456789", secrets, now, unknown)).toEqual({
      name: "viewer",
      role: "viewer",
    });
  });

  test.each([
    ["Bearer operator-012345678"],
    ["Bearer operator-01234567890"],
    ["Bearer operator-0123456789 "],
    ["Basic operator-0123456789"],
    ["operator-0123456789"],
    ["Bearer "],
    [`Bearer ${"x".repeat(600)}`],
  ])("refuses %j with 401 and never repeats the token", async (authorization) => {
    const { status, headers, body } = await refused(authorization);
    expect(status).toBe(401);
    expect(headers.get("www-authenticate")).toBe('Bearer realm="tulle", error="invalid_token"');
    expect(JSON.stringify(body)).not.toContain("0123456789");
  });

  test("asks for a token where none is given", async () => {
    const { status, headers } = await refused(null);
    expect(status).toBe(401);
    expect(headers.get("www-authenticate")).toBe('Bearer realm="tulle"');
  });

  test("says how to set the token while there is none, whatever is sent", async () => {
    for (const given of [{}, { TULLE_OPERATOR_TOKEN: "" }]) {
      const { status, body } = await refused("Bearer ", given);
      expect(status).toBe(503);
      expect(JSON.stringify(body)).toContain("wrangler secret put TULLE_OPERATOR_TOKEN");
    }
  });

  test("tells a token that has expired from one that is wrong", async () => {
    const until = (at: string) => ({ ...secrets, TULLE_OPERATOR_TOKEN_EXPIRES: at });
    const past = await refused("Bearer operator-0123456789", until("2026-10-31T23:59:59Z"));
    expect(past.body.title).toContain("expired");
    expect((await refused("Bearer other", until("2026-10-31T23:59:59Z"))).body.title).not.toContain(
      "expired",
    );
    expect(
      await callerOf("Bearer operator-0123456789", until("2026-11-01T00:00:01Z"), now, unknown),
    ).toMatchObject({
      role: "admin",
    });
    expect((await refused("Bearer operator-0123456789", until("tomorrow"))).status).toBe(401);
  });
});

describe("the table of access", () => {
  test("nothing that changes policy is open to viewers, and each role includes those before it", () => {
    // A question too long for a URL.
    const questions = ["POST /api/explain"];
    for (const [route, role] of Object.entries(access) as [string, Role][]) {
      if (!route.startsWith("GET ") && !questions.includes(route))
        expect(allows("viewer", role), route).toBe(false);
    }
    expect(roles.map((role) => allows("editor", role))).toEqual([true, true, false]);
  });
});
