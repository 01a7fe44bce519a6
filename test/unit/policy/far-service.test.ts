import { describe, expect, test } from "vitest";
import { canonicalJson, digestOf } from "../../../mesh-runtime/policy/canonical.ts";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import { crossCheck } from "../../../mesh-runtime/policy/cross-check.ts";
import { load } from "../../../mesh-runtime/policy/load.ts";
import { allowAll, documents, inShort, policy, read, service, together, written } from "./writing.ts";

const far = (spec = "", name = "ledger"): string =>
  service(name, `{trustDomain: partner.example, endpoint: {url: "https://ledger.partner.example"}${spec}}`);
const faults = (spec: string): readonly string[] =>
  read(service("ledger", spec)).issues.map(({ path, message }) => `${path}: ${message}`);
const compiled = (...texts: readonly string[]) => compile(documents(service("web"), ...texts));

describe("a Service of another mesh", () => {
  test("is named in that mesh's trust domain, and signed for", () => {
    const destination = compiled(far(), policy("MeshConfig", "mesh", "{defaults: {evidence: binding}}")).get(
      "default/web",
    )?.destinations["default/ledger"];
    expect(destination).toMatchObject({
      spiffeId: "spiffe://partner.example/ns/default/sa/ledger",
      trustDomain: "partner.example",
      evidence: "signature",
      hosts: ["ledger", "ledger.default", "ledger.default.mesh"],
      endpoints: [{ address: { kind: "url", url: "https://ledger.partner.example" } }],
    });
    expect(destination).not.toHaveProperty("binding");
  });

  test("may be called otherwise there", () => {
    const identity = "spiffe://partner.example/ns/money/sa/books";
    const found = compiled(far(`, identity: "${identity}"`)).get("default/web")?.destinations;
    expect(found?.["default/ledger"]?.spiffeId).toBe(identity);
  });

  test("may have to sign its answers, which the other mesh does for whoever demands it", () => {
    const found = compiled(far(", responses: signed")).get("default/web")?.destinations;
    expect(found?.["default/ledger"]?.responses).toBe("signed");
  });

  test("runs nothing here: it has no snapshot, so nobody joins as it", () => {
    expect([...compiled(far()).keys()]).toEqual(["default/web"]);
  });

  test("is loaded with its own identity, and with no other's", async () => {
    const snapshot = compiled(far()).get("default/web");
    const loaded = async (trustDomain: string | undefined) => {
      const destinations = Object.fromEntries(
        Object.entries(snapshot?.destinations ?? {}).map(([key, each]) => [
          key,
          key === "default/ledger" ? { ...each, trustDomain } : each,
        ]),
      );
      const text = canonicalJson({ ...snapshot, destinations });
      return load(text, { epoch: 1, digest: await digestOf(text) }, "default/web");
    };
    const right = await loaded("partner.example");
    expect(right.ok && right.value.destinationByHost("ledger")?.id.uri).toBe(
      "spiffe://partner.example/ns/default/sa/ledger",
    );
    expect((await loaded("other.example")).ok).toBe(false);
    expect((await loaded(undefined)).ok).toBe(false);
  });

  test("makes nothing different where there is none", () => {
    const plain = compiled(service("payments")).get("default/web");
    expect(JSON.stringify(plain)).not.toContain('"trustDomain":"partner.example"');
    expect(plain?.destinations["default/payments"]).not.toHaveProperty("trustDomain");
  });

  test.each([
    ["{trustDomain: partner.example}", /^spec\.trustDomain: .*write endpoint\.url/],
    ["{trustDomain: partner.example, endpoint: {binding: LEDGER}}", /^spec\.endpoint: .*write url alone/],
    [
      '{trustDomain: partner.example, endpoint: {binding: LEDGER, url: "https://a.example"}}',
      /^spec\.endpoint: /,
    ],
    ["{trustDomain: partner.example, endpoint: {dispatch: {binding: T, worker: w}}}", /^spec\.endpoint: /],
    [
      '{trustDomain: partner.example, endpoints: [{url: "https://a.example"}, {service: web}]}',
      /^spec\.endpoints\[1\]: /,
    ],
    [
      '{trustDomain: partner.example, endpoint: {url: "https://a.example"}, evidence: binding}',
      /^spec\.evidence: .*no platform/,
    ],
    [
      '{trustDomain: partner.example, endpoint: {url: "https://a.example"}, mode: STRICT}',
      /^spec\.mode: .*remove it/,
    ],
    ['{trustDomain: partner.example, endpoint: {url: "https://a.example"}, timeout: 1s}', /^spec\.timeout: /],
    [
      '{trustDomain: partner.example, endpoint: {url: "https://a.example"}, binding: LEDGER}',
      /^spec\.binding: /,
    ],
    ['{trustDomain: Partner, endpoint: {url: "https://a.example"}}', /^spec\.trustDomain: /],
    [
      '{trustDomain: partner.example, endpoint: {url: "http://ledger.partner.example"}}',
      /^spec\.endpoint\.url: /,
    ],
  ])("is refused as %s", (spec, message) => {
    expect(faults(spec)).toEqual([expect.stringMatching(message)]);
  });

  test.each([
    [
      "its trust domain is our own",
      service("ledger", '{trustDomain: mesh.local, endpoint: {url: "https://a.example"}}'),
      /own trust domain; leave trustDomain out/,
    ],
    [
      "its identity is of our own",
      far(', identity: "spiffe://mesh.local/ns/default/sa/ledger"'),
      /not of the trust domain partner\.example/,
    ],
    [
      "its identity is of a third",
      far(', identity: "spiffe://third.example/ns/default/sa/ledger"'),
      /not of the trust domain partner\.example/,
    ],
    [
      "an identity of another domain stands alone",
      service("ledger", '{identity: "spiffe://partner.example/ns/default/sa/ledger"}'),
      /write its trustDomain too/,
    ],
    [
      "a policy of ours is for it",
      `${far()}\n---\n${policy("AuthorizationPolicy", "no", "{targetRefs: [{kind: Service, name: ledger}], rules: [{}]}")}`,
      /has to be written there/,
    ],
    [
      "it is an endpoint of another",
      `${far()}\n---\n${service("both", "{endpoints: [{service: ledger}, {service: web}]}")}`,
      /belongs to another mesh/,
    ],
  ])("is refused where %s", (_, text, message) => {
    const found = together(service("web"), allowAll(), ...text.split("\n---\n")).filter((one) =>
      one.startsWith("error"),
    );
    expect(found).toEqual([expect.stringMatching(message)]);
  });

  test("is right as a backend, and needs no policy of ours", () => {
    const split = `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: split}, spec: {parentRefs: [{kind: Service, group: "", name: web}], rules: [{backendRefs: [{name: ledger, port: 80}]}]}}`;
    expect(together(service("web"), allowAll(), far(), split)).toEqual([]);
  });
});

describe("a principal of another trust domain", () => {
  const texts = [
    service("web"),
    policy(
      "AuthorizationPolicy",
      "partners",
      "{rules: [{from: [{source: {principals: [partner.example/ns/a/sa/b]}}]}]}",
    ),
  ];

  test("is taken for a slip of the pen, unless that domain is federated or a Service is of it", () => {
    expect(together(...texts)).toEqual([
      expect.stringMatching(/^warning .*no other is federated.*tulle federation list/),
    ]);
    expect(crossCheck(written(...texts), { federated: ["other.example"] }).map(inShort)).toHaveLength(1);
    expect(crossCheck(written(...texts), { federated: ["partner.example"] })).toEqual([]);
    expect(together(...texts, far())).toEqual([]);
  });
});
