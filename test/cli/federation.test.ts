import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FederationLine } from "@tulle/control/api/contract.ts";
import { expect, test } from "vitest";
import { startStandIn } from "./stand-in.ts";
import { tulleAt } from "./tulle.ts";

const url = "https://partner.example/bundle.json";
const line: FederationLine = {
  trustDomain: "partner.example",
  bundleEndpoint: { url, profile: "https_web" },
  state: "ok",
  addedBy: "ann",
  addedAt: "2026-11-01T00:00:00.000Z",
  sequence: 7,
  keys: ["aaa", "bbb"],
  seenAt: "2026-11-23T10:00:00.000Z",
  believedUntil: "2026-11-24T10:00:00.000Z",
  triedAt: "2026-11-23T10:00:00.000Z",
  nextAt: "2026-11-23T10:05:00.000Z",
};
const failing: FederationLine = {
  ...line,
  trustDomain: "other.example",
  state: "failing",
  error: "it answers with status 500",
  failures: 3,
};
const both = { trustDomain: "mesh.local", federations: [line, failing] };

test("tulle federation list and show say how fresh the keys of others are", async () => {
  await using standIn = await startStandIn();
  standIn.answer("GET /api/federation", both);
  const list = await tulleAt(standIn, ["federation", "list"]);
  expect(list.code).toBe(0);
  expect(list.stdout).toMatch(
    /^partner\.example\s+ok\s+2\s+7\s+.* ago\s+https:\/\/partner\.example\/bundle\.json$/m,
  );
  expect(list.stdout).toMatch(/^other\.example\s+failing\s/m);
  const show = await tulleAt(standIn, ["federation", "show", "other.example"]);
  expect(show.stdout).toMatch(/^keys\s+aaa, bbb$/m);
  expect(show.stdout).toMatch(/^error\s+it answers with status 500 \(3 in a row\)$/m);
  expect(await tulleAt(standIn, ["federation", "show", "third.example"])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("third.example is not federated"),
  });
});

test("tulle federation add asks for exactly that, and exits with 1 when the bundle could not be had", async () => {
  const file = join(tmpdir(), `tulle-bundle-${process.pid}.json`);
  await writeFile(file, '{"keys":[]}');
  await using standIn = await startStandIn();
  standIn.answer("POST /api/federation", failing);
  const words = ["federation", "add", "other.example", "--endpoint", url];
  expect(await tulleAt(standIn, [...words, "--bundle", file, "-o", "json"])).toMatchObject({ code: 1 });
  expect(standIn.received.map(({ body }) => body)).toEqual([
    {
      trustDomain: "other.example",
      bundleEndpoint: { url, profile: "https_web" },
      trustDomainBundle: '{"keys":[]}',
    },
  ]);
  expect(await tulleAt(standIn, ["federation", "add", "other.example"])).toMatchObject({ code: 2 });
});

test("tulle federation refresh and remove are about the one that is named", async () => {
  await using standIn = await startStandIn();
  standIn.answer("POST /api/federation/:trustDomain/refresh", line);
  standIn.answer("DELETE /api/federation/:trustDomain", { ...both, federations: [] });
  expect(await tulleAt(standIn, ["federation", "refresh", "partner.example"])).toMatchObject({ code: 0 });
  expect(await tulleAt(standIn, ["federation", "remove", "partner.example"])).toMatchObject({
    code: 0,
    stderr: expect.stringContaining("No other trust domain is federated."),
  });
  expect(standIn.received.map(({ method, url: { pathname } }) => `${method} ${pathname}`)).toEqual([
    "POST /api/federation/partner.example/refresh",
    "DELETE /api/federation/partner.example",
  ]);
});
