import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { beforeEach, expect, test } from "vitest";
import type { NewOperatorToken, TokenAnswer } from "../../../control/api/contract.ts";
import { api, apply, joined, joinRequest, permission, service, workload } from "../support.ts";

beforeEach(() => reset());

/** Everything that who can read the account's KV can read: keys, values and metadata. */
async function everythingInKv(): Promise<readonly string[]> {
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await env.POLICIES.list(cursor === undefined ? {} : { cursor });
    for (const { name, metadata } of page.keys)
      found.push(`${name} ${JSON.stringify(metadata ?? null)} ${(await env.POLICIES.get(name)) ?? ""}`);
    cursor = page.list_complete ? undefined : page.cursor;
  } while (cursor !== undefined);
  return found;
}

test("who reads KV reads documents, snapshots, public keys and what is signed with private ones, and no secret", async () => {
  await apply(service("web"), service("payments"), permission("payments", "web"));
  const { wit, sessionKeys = [] } = joined(await workload({ service: "web" }).join(await joinRequest()));
  const issued = await api<TokenAnswer>("POST", "/api/identity/tokens", { service: "payments" });
  const made = await api<NewOperatorToken>("POST", "/api/tokens", { name: "ci", role: "editor" });
  await api("POST", "/api/keys/rotate", {});
  await api("POST", "/api/keys/rotate", { key: "root" });

  const all = await everythingInKv();
  const kinds = new Set(all.map((entry) => entry.split(/[/ ]/)[0]));
  expect([...kinds].sort()).toEqual(["bundle", "heads", "policies", "snapshots"]);
  const text = all.join("\n");
  const secrets = [
    ...wit.split(".").slice(1),
    ...sessionKeys.map(({ secret }) => secret),
    issued.body.token,
    made.body.token,
    env.TULLE_OPERATOR_TOKEN,
    env.TULLE_VIEWER_TOKEN,
    env.TULLE_KEY_SECRET,
  ];
  for (const secret of secrets) {
    if (secret === undefined || secret.length < 16) throw new Error("this is no secret to look for");
    expect(text).not.toContain(secret);
  }
  // Whatever is signed is a bundle or a head, and what they say holds no private or symmetric key.
  const signed = text.match(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g) ?? [];
  expect(new Set(signed.map((jws) => decodeProtectedHeader(jws).typ))).toEqual(
    new Set(["tulle-bundle+jwt", "tulle-head+jwt"]),
  );
  for (const said of [...signed.map((jws) => JSON.stringify(decodeJwt(jws))), text])
    expect(said).not.toMatch(/"(?:d|k|p|q|dp|dq|qi)"\s*:\s*"[\w-]{16,}"|wrapped|PRIVATE KEY/);
});
