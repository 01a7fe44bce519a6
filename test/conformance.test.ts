import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { features } from "../conformance/features.ts";
import { type Case, readSuite, type Step, type Suite } from "../conformance/format.ts";
import { runSuite } from "../conformance/suite.ts";

const folder = fileURLToPath(new URL("../conformance/cases", import.meta.url));
const own = path.join(folder, "tulle.yaml");
/** Cases in the folder, and one more file that whoever runs this may name. */
const files = [
  ...readdirSync(folder).map((name) => path.join(folder, name)),
  ...(process.env.TULLE_CONFORMANCE === undefined ? [] : [process.env.TULLE_CONFORMANCE]),
];
const patienceMs = 180_000;

describe("conformance with Gateway API", () => {
  test.each(files)(
    "no case of %s fails",
    async (file) => {
      const outcomes = await runSuite(readSuite(file));
      const failed = outcomes.filter(({ result }) => result === "FAILED");
      expect(failed.map(({ name, detail }) => `${name}: ${detail}`)).toEqual([]);
      expect(outcomes.filter(({ result }) => result === "ok").length).toBeGreaterThan(40);
    },
    patienceMs,
  );

  test("every case of our own cites where the behaviour is specified", () => {
    const { cases } = readSuite(own);
    expect(cases.length).toBeGreaterThanOrEqual(40);
    expect(cases.filter(({ clause }) => clause === undefined).map(({ name }) => name)).toEqual([]);
  });

  test("our cases show every feature that the documentation claims", () => {
    const shown = new Set(readSuite(own).cases.flatMap((one) => one.features));
    const claimed = features.filter(({ unsupported }) => unsupported === undefined).map(({ name }) => name);
    expect(claimed.filter((name) => !shown.has(name))).toEqual([]);
    expect([...shown].filter((name) => !claimed.includes(name))).toEqual([]);
    const page = readFileSync(path.join(folder, "../../docs/gateway-api.md"), "utf8");
    expect(features.filter(({ name }) => !page.includes(`| \`${name}\` |`))).toEqual([]);
  });
});

/** A case of our own, changed so that it must fail. */
function changed(name: string, change: (steps: readonly Step[]) => readonly Step[]): Case {
  const found = readSuite(own).cases.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no case ${name}`);
  return { ...found, steps: change(found.steps) };
}

const expecting =
  (index: number, expected: Step["expect"]) =>
  (steps: readonly Step[]): readonly Step[] =>
    steps.map((step, at) => (at === index && expected !== undefined ? { ...step, expect: expected } : step));

describe("the conformance runner", () => {
  test(
    "a case fails when any field that it compares is another, and says which",
    async () => {
      const paths = "PathsMatchBySegment";
      const cases = [
        changed(paths, expecting(0, { status: 404 })),
        changed(paths, expecting(0, { backend: "green" })),
        changed(paths, expecting(0, { namespace: "shop" })),
        changed(paths, expecting(0, { backendRequest: { path: "/v3" } })),
        changed(paths, expecting(0, { backendRequest: { headers: { "X-None": "1" } } })),
        changed(paths, expecting(0, { backendRequest: { absentHeaders: ["X-Forwarded-Proto"] } })),
        changed(paths, expecting(0, { responseHeaders: { "Content-Type": "text/plain" } })),
        changed(paths, expecting(0, { absentResponseHeaders: ["Content-Type"] })),
        changed(paths, expecting(0, { mirroredTo: [{ name: "green", namespace: "front" }] })),
        changed(paths, expecting(0, { somethingElse: true })),
        changed("RedirectsKnowTheirPort", expecting(0, { status: 302, redirect: { host: "new.example" } })),
        changed("WeightsAreShares", (steps) =>
          steps
            .slice(0, 1)
            .map((step) => ({ ...step, expect: { requests: 60, weights: { red: 2, green: 1, blue: 0 } } })),
        ),
        changed(paths, (steps) => [{ kind: "assert", call: "HTTPRouteMustSing" }, ...steps]),
        changed(paths, (steps) => [{ kind: "dance" }, ...steps]),
        changed(paths, (steps) => [{ kind: "custom", call: "Magic" }, ...steps]),
        changed("AParentRefNamesNothingThatIsThere", () => [
          { kind: "accepted", parent: { gateway: "front/edge" }, routes: ["front/lost"] },
        ]),
        changed("WhatCannotBeMeantIsRefused", (steps) =>
          steps.slice(0, 1).map((step) => ({ ...step, manifests: [] })),
        ),
      ];
      const suite: Suite = { ...readSuite(own), cases };
      const outcomes = await runSuite(suite, { patienceMs: 0 });
      expect(
        outcomes.map(
          ({ result, detail }) => `${result} ${detail?.replace(/^.*?(?=\S+: expected|the runner)/, "")}`,
        ),
      ).toEqual([
        "FAILED status: expected 404, found 200",
        expect.stringMatching(/^FAILED backend: expected a pod of green, found red-/),
        "FAILED namespace: expected shop, found front",
        "FAILED backendRequest.path: expected /v3, found /v2",
        "FAILED backendRequest.headers.X-None: expected 1, found none",
        "FAILED backendRequest.headers.X-Forwarded-Proto: expected none, found http",
        "FAILED responseHeaders.Content-Type: expected text/plain, found application/json",
        "FAILED responseHeaders.Content-Type: expected none, found application/json",
        "FAILED green: expected 1 copy, found 0",
        "FAILED somethingElse: expected a field that the runner knows how to compare, found an unknown one",
        "FAILED redirect.port: expected 80 or none, found 8080",
        expect.stringMatching(/^FAILED red: expected 0\.66/),
        "FAILED the runner does not know the assertion HTTPRouteMustSing",
        "FAILED the runner does not know steps of the kind dance",
        "FAILED the runner does not know what Magic does",
        expect.stringMatching(
          /^FAILED front\/edge: expected Accepted True \(Accepted\), found Accepted False \(NoMatchingParent\)/,
        ),
        "FAILED refused: expected control to refuse the manifests, found that it takes them",
      ]);
    },
    patienceMs,
  );

  test(
    "what files write otherwise than ours means the same, and a case without steps is none",
    async () => {
      const at = { gateway: "front/ports", port: 8080 };
      const [paths] = changed("PathsMatchBySegment", (steps) => steps).manifests;
      if (paths === undefined) throw new Error("no manifest");
      const name = "a".repeat(253);
      const to = (gateway: string, port?: number) => ({
        ...paths,
        spec: { ...paths.spec, parentRefs: [{ name: gateway, ...(port === undefined ? {} : { port }) }] },
      });
      const listeners = [{ name: "http", port: 80, protocol: "HTTP" }];
      const named = {
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "Gateway",
        metadata: { name, namespace: "front" },
        spec: { gatewayClassName: "{GATEWAY_CLASS_NAME}", listeners },
      };
      const made = (of: string, manifests: Case["manifests"], ...steps: readonly Step[]): Case => ({
        name: of,
        features: [],
        manifests,
        steps,
      });
      const request = { path: "/v2", host: "any.example" };
      const cases = [
        made(
          "the port of the Gateway counts where the Host has none",
          [to("ports", 8080)],
          { kind: "request", via: at, request, expect: { backendRequest: { host: "any.example" } } },
          { kind: "request", via: { ...at, port: 80 }, request, expect: { status: 404 } },
        ),
        made("a backend sets headers", [to("ports")], {
          kind: "request",
          via: at,
          request: { ...request, backendSetResponseHeaders: { "X-One": "1" } },
          expect: { values: { "X-One": ["0", "1"] } },
        }),
        made("a name is as long as it may be", [named, to(name)], {
          kind: "request",
          via: { gateway: `front/${name}` },
          request,
          expect: { backend: "red" },
        }),
        made("a backend echoes although none should", [to("ports")], {
          kind: "request",
          via: at,
          request,
          expect: { backendRequest: { explicit: true } },
          upstream: { asserts: ["backendRequest.path"] },
        }),
        ...[
          "red gets 33.3% of the requests, green 66.7%, blue 0%",
          "33.3% of the requests go to red and 66.7% go to green",
          "the distribution is that of the weights, within 5 percentage points",
          "66.7% of the requests go to red and 33.3% go to green",
        ].map((rule) =>
          changed("WeightsAreShares", (steps) =>
            steps
              .slice(0, 1)
              .map((step) => ({ ...step, kind: "traffic", hand: true, expect: { rule, requests: 200 } })),
          ),
        ),
        made("nothing happens", [to("ports")]),
      ];
      const outcomes = await runSuite({ ...readSuite(own), cases }, { patienceMs: 0 });
      expect(outcomes.map(({ result, detail }) => `${result} ${detail ?? ""}`)).toEqual([
        "ok ",
        "ok ",
        "ok ",
        expect.stringMatching(/backendRequest\.path: expected , found \/v2$/),
        "ok ",
        "ok ",
        "ok ",
        expect.stringMatching(/share of red: expected 0\.667/),
        "FAILED the case has no steps, so it shows nothing",
      ]);
    },
    patienceMs,
  );

  test("a file that is none is told apart from one that fails", () => {
    const at = mkdtempSync(path.join(tmpdir(), "tulle-conformance-"));
    try {
      const written = (name: string, text: string): string => {
        const file = path.join(at, name);
        writeFileSync(file, text);
        return file;
      };
      expect(() => readSuite(path.join(at, "none.json"))).toThrow(/cannot be read/);
      expect(() => readSuite(written("a.json", "{"))).toThrow(/is not JSON/);
      expect(() => readSuite(written("b.yaml", "a: ["))).toThrow(/is not YAML/);
      expect(() => readSuite(written("c.json", "[]"))).toThrow(
        'expected an object with "tests", found a list',
      );
      expect(() => readSuite(written("d.json", "{}"))).toThrow(
        'expected "tests", a list of cases; found nothing',
      );
      expect(() => readSuite(written("e.json", '{"tests":[{"name":"x"}]}'))).toThrow(
        "tests[0].steps: expected a list, found nothing",
      );
      expect(() => readSuite(written("f.json", '{"tests":[{"name":"x","steps":[{}]}]}'))).toThrow(
        "tests[0].steps[0].kind: expected a text",
      );
      expect(() => readSuite(written("g.json", '{"baseManifests":[{"kind":"Service"}],"tests":[]}'))).toThrow(
        "baseManifests[0]: expected a document with kind and metadata.name",
      );
      expect(() => readSuite(written("h.json", '{"tests":[]}'))).toThrow('"tests" has no case');
    } finally {
      rmSync(at, { recursive: true });
    }
  });
});
