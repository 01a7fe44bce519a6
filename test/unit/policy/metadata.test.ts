import { describe, expect, test } from "vitest";
import { gateway, inShort, read, together } from "./writing.ts";

const grant = (metadata: string): string =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: ReferenceGrant\nmetadata:\n${metadata}spec: { from: [{ group: g, kind: K, namespace: n }], to: [{ group: "", kind: Service }] }\n`;
const namespace = (metadata: string): string => `apiVersion: v1\nkind: Namespace\nmetadata:\n${metadata}`;
const issuesOf = (text: string): readonly string[] => read(text).issues.map(inShort);

const long = "a".repeat(63);
const domain = Array(4).fill(long).join(".").slice(0, 253);

describe.each([
  ["a document", grant],
  ["a Namespace", namespace],
])("%s", (_name, document) => {
  test.each([
    ["labels: {}"],
    ["labels: { app: a, App_1.x: A-b_c.d, '1': '' }"],
    [`labels: { ${long}: ${long}, ${domain}/${long}: a }`],
    [`annotations: { app: "anything at all\\n", Example.com/Key: "${"x".repeat(1_000)}" }`],
  ])("takes %j, as Kubernetes does", (member) => {
    expect(issuesOf(document(`  name: a\n  ${member}\n`))).toEqual([]);
  });

  test.each([
    ["labels: { -a: b }", "5 metadata.labels[", "Kubernetes takes no label of this key"],
    ["labels: { a-: b }", "5 metadata.labels", "Kubernetes takes no label of this key"],
    ["labels: { a/b/c: d }", "5 metadata.labels", "Kubernetes takes no label of this key"],
    ["labels: { /a: b }", "5 metadata.labels", "Kubernetes takes no label of this key"],
    ["labels: { a/: b }", "5 metadata.labels", "Kubernetes takes no label of this key"],
    ["labels: { A.example/a: b }", "5 metadata.labels", "Kubernetes takes no label of this key"],
    [`labels: { ${long}a: b }`, "5 metadata.labels", "Kubernetes takes no label of this key"],
    [`labels: { a${domain}/a: b }`, "5 metadata.labels", "Kubernetes takes no label of this key"],
    [`labels: { a: ${long}a }`, "5 metadata.labels.a", "at most 63 letters"],
    ["labels: { a: 'b c' }", "5 metadata.labels.a", "at most 63 letters"],
    ["labels: { a: b- }", "5 metadata.labels.a", "at most 63 letters"],
    ["labels: { a: é }", "5 metadata.labels.a", "at most 63 letters"],
    ["annotations: { 'a b': c }", "5 metadata.annotations", "Kubernetes takes no annotation of this key"],
    ["annotations: { a: 1 }", "5 metadata.annotations.a", "write it in quotes"],
    [`annotations: { a: ${"x".repeat(262_144)} }`, "5 metadata.annotations", "262144 bytes together"],
  ])("refuses %j at its place", (member, place, message) => {
    const issues = issuesOf(document(`  name: a\n  ${member.slice(0, 300_000)}\n`));
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain(`error ${place}`);
    expect(issues[0]).toContain(message);
  });

  test.each(["a", "a-", "shop.v1-", "''", "null"])("takes generateName: %s beside a name", (written) => {
    expect(issuesOf(document(`  name: a\n  generateName: ${written}\n`))).toEqual([]);
  });

  test.each(["'-'", "-a", "A", "a_b", "a..b", "1", "[]"])("refuses generateName: %s", (written) => {
    const issues = issuesOf(document(`  name: a\n  generateName: ${written}\n`));
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain(
      "error 5 metadata.generateName: metadata.generateName must be the beginning of a name",
    );
  });

  test("asks for a name where generateName stands alone, and says why", () => {
    const issues = issuesOf(document("  generateName: shop-\n"));
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain("metadata.name is missing, and no name is made from generateName here");
    expect(issues[0]).toContain("write a name of at most");
  });
});

describe("what Kubernetes takes and does not look at is told", () => {
  test("generateName beside a name", () => {
    const [issue, ...others] = together(grant("  name: a\n  generateName: b-\n"));
    expect(others).toEqual([]);
    expect(issue).toMatch(
      /^warning 5 metadata\.generateName: The document is called a, and generateName is not/,
    );
    expect(together(grant("  name: a\n  generateName: ''\n"))).toEqual([]);
  });

  test.each(["Same", "All"])("a listener's selector with from: %s", (from) => {
    const text = gateway(
      "g",
      `listeners: [{name: a, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: ${from}, selector: {matchLabels: {a: b}}}}}]`,
    );
    expect(together(text)).toContainEqual(
      expect.stringMatching(
        `^warning 1 spec.listeners.0..allowedRoutes.namespaces.selector: A selector is not looked at with from: ${from};`,
      ),
    );
  });
});
