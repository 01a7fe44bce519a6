import { reset } from "cloudflare:test";
import { beforeEach, describe, expect, test } from "vitest";
import { access, allows, open, type Role, type Route, roles } from "../../../control/api/access.ts";
import { app } from "../../../control/api/app.ts";
import type { NewOperatorToken } from "../../../control/api/contract.ts";
import { api } from "../support.ts";

beforeEach(() => reset());

/** Requests that do nothing, for each route: what matters is who is let in. */
const pathOf = (route: Route): [method: string, path: string] => {
  const [method = "", path = ""] = route.split(" ");
  return [method, path.replace(":kind", "Service").replace(/:[a-z]+/g, "none")];
};

describe("roles and routes", () => {
  test("every route that Hono knows has a role, or is open for a reason that is written down", () => {
    const known = new Set(app.routes.map(({ method, path }) => `${method} ${path}`));
    expect([...known].sort()).toEqual([...Object.keys(access), ...Object.keys(open)].sort());
    for (const reason of Object.values(open)) expect(reason).not.toBe("");
  });

  test("each role may do what its column of the table says, and is told which role it lacks", async () => {
    const tokens = new Map<Role, string>();
    for (const role of roles) {
      const made = await api<NewOperatorToken>("POST", "/api/tokens", { name: `test-${role}`, role });
      tokens.set(role, made.body.token);
    }
    for (const [route, wants] of Object.entries(access) as [Route, Role][]) {
      const [method, path] = pathOf(route);
      for (const [role, token] of tokens) {
        // What is no JSON is refused after the role was looked at, and so changes nothing.
        const body = method === "POST" ? "{" : undefined;
        const answer = await api<{ type?: string; detail?: string }>(method, path, body, token);
        const refused = answer.status === 403 && answer.body.type?.endsWith("/role") === true;
        expect([route, role, refused]).toEqual([route, role, !allows(role, wants)]);
        if (!refused) continue;
        expect(answer.body.detail).toContain(`The role ${wants} is required`);
        expect(answer.headers.get("www-authenticate")).toBe(
          `Bearer realm="tulle", error="insufficient_scope", scope="${wants}"`,
        );
      }
    }
  });
});
