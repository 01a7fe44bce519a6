import { describe, expect, test } from "vitest";
import { inShort, read } from "./writing.ts";

/*
 * The rules that Gateway API's CRDs have for a whole document: an API server refuses what breaks one, and so does
 * the mesh, at its place.
 */

const route = (spec: string): string =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: r }\nspec:\n${spec}`;
const gateway = (listeners: string): string =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: { name: g }\nspec:\n  gatewayClassName: tulle\n  listeners:\n${listeners}`;
const grant = (spec: string): string =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: ReferenceGrant\nmetadata: { name: g }\nspec:\n${spec}`;

/** A list of lines, one an item. */
const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => `    - ${line(index)}\n`).join("");
const parents = (refs: readonly string[]): string =>
  route(`  parentRefs:\n${lines(refs.length, (index) => refs[index] ?? "")}`);
const rules = (count: number, rule: (index: number) => string = () => "{}"): string =>
  route(`  parentRefs: [{ name: g }]\n  rules:\n${lines(count, rule)}`);
const hostnames = (names: readonly string[]): string =>
  route(`  parentRefs: [{ name: g }]\n  hostnames:\n${lines(names.length, (index) => names[index] ?? "")}`);
const matches = (count: number): string =>
  `{ matches: [${Array.from({ length: count }, (_, index) => `{ path: { value: /${index} } }`).join(", ")}] }`;
const backends = (count: number): string =>
  `{ backendRefs: [${Array.from({ length: count }, (_, index) => `{ name: b${index}, port: 80 }`).join(", ")}] }`;
const weight = (value: string): string =>
  rules(1, () => `{ backendRefs: [{ name: b, port: 80, weight: ${value} }] }`);
const listener = (index: number, more = ""): string =>
  `{ name: l${index}, port: ${1_000 + index}, protocol: HTTP${more} }`;
const label63 = "a".repeat(63);

/** What is wrong, the text, `line path` of it, and what is said. */
type Case = readonly [name: string, text: string, place: string, message: string];

const issuesOf = (text: string): readonly string[] => read(text).issues.map(inShort);

describe("a document within the rules is read", () => {
  test.each([
    ["32 parents", parents(Array.from({ length: 32 }, (_, index) => `{ name: g${index} }`))],
    ["16 hostnames", hostnames(Array.from({ length: 16 }, (_, index) => `h${index}.example`))],
    ["16 rules of 8 matches, 128 together", rules(16, () => matches(8))],
    ["64 matches in a rule", rules(1, () => matches(64))],
    ["16 backends in a rule", rules(1, () => backends(16))],
    ["a weight of 0", weight("0")],
    [
      "a backend of the mesh's own group without port",
      rules(1, () => "{ backendRefs: [{ group: mesh.tulle.dev, name: b }] }"),
    ],
    [
      "a backend of another kind without port",
      rules(1, () => "{ backendRefs: [{ kind: Bucket, name: b }] }"),
    ],
    ["a weight of a million", weight("1000000")],
    ["a parent's sections by name", parents(["{ name: g, sectionName: a }", "{ name: g, sectionName: b }"])],
    ["a parent's ports", parents(["{ name: g, port: 80 }", "{ name: g, port: 81 }"])],
    [
      "one section at two ports",
      parents(["{ name: g, sectionName: a, port: 80 }", "{ name: g, sectionName: a, port: 81 }"]),
    ],
    ["parents that differ in kind", parents(["{ name: g }", '{ name: g, group: "", kind: Service }'])],
    ["parents that differ in namespace", parents(["{ name: g }", "{ name: g, namespace: other }"])],
    ["64 listeners", gateway(lines(64, listener))],
    [
      "listeners of one port that differ in hostname",
      gateway(
        lines(3, (index) => `{ name: l${index}, port: 80, protocol: HTTP, hostname: h${index}.example }`),
      ),
    ],
    [
      "hostnames at the limits of the grammar",
      hostnames(["a", '"*.a"', "a-b.c--d.e0", label63, `${label63}.${label63}.${label63}.${"a".repeat(61)}`]),
    ],
    [
      "a grant with 16 from and 16 to",
      grant(
        `  from:\n${lines(16, (index) => `{ group: g, kind: K, namespace: n${index} }`)}  to:\n${lines(16, (index) => `{ group: "", kind: Service, name: s${index} }`)}`,
      ),
    ],
  ])("%s", (_name, text) => {
    expect(issuesOf(text)).toEqual([]);
  });
});

describe("a document that breaks a rule is refused at its place", () => {
  const twice = "is named already";
  const mixed = "of several references to one parent";
  test.each<Case>([
    [
      "33 parents",
      parents(Array.from({ length: 33 }, (_, index) => `{ name: g${index} }`)),
      "5 spec.parentRefs",
      "a list of at most 32",
    ],
    ["a parent twice", parents(["{ name: g }", "{ name: h }", "{ name: g }"]), "8 spec.parentRefs[2]", twice],
    [
      "a parent twice, once in other words",
      parents(["{ name: g }", "{ group: gateway.networking.k8s.io, kind: Gateway, name: g }"]),
      "7 spec.parentRefs[1]",
      twice,
    ],
    [
      "a parent's section twice",
      parents(["{ name: g, sectionName: a }", "{ name: g, sectionName: a }"]),
      "7 spec.parentRefs[1]",
      twice,
    ],
    [
      "a Service's port twice",
      parents(['{ kind: Service, group: "", name: s, port: 80 }', "{ kind: Service, name: s, port: 80 }"]),
      "7 spec.parentRefs[1]",
      twice,
    ],
    [
      "a parent whole and one of its sections",
      parents(["{ name: g }", "{ name: g, sectionName: a }"]),
      "7 spec.parentRefs[1].sectionName",
      mixed,
    ],
    [
      "one of a parent's sections and the whole",
      parents(["{ name: g, sectionName: a }", "{ name: g }"]),
      "7 spec.parentRefs[1]",
      mixed,
    ],
    [
      "a Service whole and one of its ports",
      parents(["{ kind: Service, name: s }", "{ kind: Service, name: s, port: 80 }"]),
      "7 spec.parentRefs[1].port",
      mixed,
    ],
    [
      "one section with a port and another without",
      parents(["{ name: g, sectionName: a, port: 80 }", "{ name: g, sectionName: b }"]),
      "7 spec.parentRefs[1]",
      mixed,
    ],
    [
      "a parent of another kind",
      parents(["{ kind: Mesh, name: m }"]),
      "6 spec.parentRefs[0].kind",
      "one of Gateway, Service",
    ],
    [
      "a listener's port of 0",
      parents(["{ name: g, port: 0 }"]),
      "6 spec.parentRefs[0].port",
      "a port from 1 to 65535",
    ],
    [
      "17 hostnames",
      hostnames(Array.from({ length: 17 }, (_, index) => `h${index}.example`)),
      "6 spec.hostnames",
      "a list of at most 16",
    ],
    ...[
      "A.example",
      "a.example:80",
      "https://a.example",
      "a..b",
      "-a.example",
      "a-.example",
      '"*"',
      '"*a.example"',
      '"a.*.example"',
      '"*.*.example"',
      "192.0.2.1",
      '"[2001:db8::1]"',
      "a_b.example",
      '""',
      `${label63}a.example`,
      `${label63}.${label63}.${label63}.${"a".repeat(62)}`,
    ].map(
      (name): Case => [
        `the hostname ${name}`,
        hostnames([name]),
        "7 spec.hostnames[0]",
        "a host name such as",
      ],
    ),
    ["17 rules", rules(17), "6 spec.rules", "a list of 1 to 16"],
    ["no rules", route("  parentRefs: [{ name: g }]\n  rules: []\n"), "6 spec.rules", "an empty list"],
    ["65 matches in a rule", rules(1, () => matches(65)), "7 spec.rules[0].matches", "a list of at most 64"],
    ["129 matches together", rules(3, () => matches(43)), "6 spec.rules", "at most 128 matches"],
    ["17 backends in a rule", rules(1, () => backends(17)), "7 spec.rules[0].backendRefs", "at most 16"],
    [
      "a rule's name twice",
      rules(3, (index) => `{ name: ${index === 1 ? "b" : "a"} }`),
      "9 spec.rules[2]",
      'the rule name "a" stands here twice',
    ],
    ["a rule's name with blanks", rules(1, () => '{ name: "a b" }'), "7 spec.rules[0].name", "a name of"],
    ...["-1", "1000001", "0.5", '"1"', "1e9"].map(
      (value): Case => [
        `a weight of ${value}`,
        weight(value),
        "7 spec.rules[0].backendRefs[0].weight",
        "a whole number from 0 to 1000000",
      ],
    ),
    [
      "a backend's port of 65536",
      rules(1, () => "{ backendRefs: [{ name: b, port: 65536 }] }"),
      "7 spec.rules[0].backendRefs[0].port",
      "a port from 1 to 65535",
    ],
    [
      "a backend without port",
      rules(1, () => "{ backendRefs: [{ name: b, port: 80 }, { name: c }] }"),
      "7 spec.rules[0].backendRefs[1].port",
      "write port: 80",
    ],
    [
      "a backend without port, its group and kind written",
      rules(1, () => '{ backendRefs: [{ group: "", kind: Service, name: b }] }'),
      "7 spec.rules[0].backendRefs[0].port",
      "write port: 80",
    ],
    [
      "a mirror without port",
      rules(1, () => "{ filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: b } } }] }"),
      "7 spec.rules[0].filters[0].requestMirror.backendRef.port",
      "write port: 80",
    ],
    [
      "a redirect beside backends",
      rules(
        1,
        () =>
          "{ filters: [{ type: RequestRedirect, requestRedirect: {} }], backendRefs: [{ name: b, port: 80 }] }",
      ),
      "7 spec.rules[0].backendRefs",
      "a request that is redirected reaches no backend",
    ],
    [
      "a prefix replaced under two matches",
      rules(
        1,
        () =>
          "{ matches: [{ path: { value: /a } }, { path: { value: /b } }], filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /c } } }] }",
      ),
      "7 spec.rules[0].filters[0]",
      "exactly one PathPrefix match",
    ],
    ["no listeners", gateway("    []\n"), "6 spec.listeners", "an empty list"],
    ["65 listeners", gateway(lines(65, listener)), "6 spec.listeners", "a list of 1 to 64"],
    [
      "a listener's name twice",
      gateway(lines(2, (index) => listener(index).replace(`l${index}`, "l"))),
      "8 spec.listeners[1]",
      'the listener name "l" stands here twice',
    ],
    [
      "a listener's port, protocol and hostname twice",
      gateway(lines(2, (index) => `{ name: l${index}, port: 80, protocol: HTTP, hostname: a.example }`)),
      "8 spec.listeners[1]",
      "the port, protocol and hostname",
    ],
    [
      "a listener's hostname with a port",
      gateway(lines(1, (index) => listener(index, ', hostname: "a.example:80"'))),
      "7 spec.listeners[0].hostname",
      "a host name such as",
    ],
    [
      "tls for HTTP",
      gateway(lines(1, (index) => listener(index, ", tls: {}"))),
      "7 spec.listeners[0].tls",
      "tls belongs to HTTPS",
    ],
    [
      "9 kinds of routes",
      gateway(
        lines(1, (index) =>
          listener(index, `, allowedRoutes: { kinds: [${Array(9).fill("{ kind: HTTPRoute }").join(", ")}] }`),
        ),
      ),
      "7 spec.listeners[0].allowedRoutes.kinds",
      "at most 8",
    ],
    [
      "a grant to nobody",
      grant('  from: []\n  to: [{ group: "", kind: Service }]\n'),
      "5 spec.from",
      "an empty list",
    ],
    [
      "a grant to 17",
      grant(
        `  from:\n${lines(17, (index) => `{ group: g, kind: K, namespace: n${index} }`)}  to: [{ group: "", kind: Service }]\n`,
      ),
      "5 spec.from",
      "a list of 1 to 16",
    ],
    [
      "a grant for nothing",
      grant("  from: [{ group: g, kind: K, namespace: n }]\n  to: []\n"),
      "6 spec.to",
      "an empty list",
    ],
    [
      "a grant without namespace",
      grant('  from: [{ group: g, kind: K }]\n  to: [{ group: "", kind: Service }]\n'),
      "5 spec.from[0].namespace",
      "is missing",
    ],
  ])("%s", (_name, text, place, message) => {
    const issues = issuesOf(text);
    expect(issues, issues.join("\n")).toHaveLength(1);
    expect(issues[0]?.startsWith(`error ${place}: `), issues[0]).toBe(true);
    expect(issues[0]).toContain(message);
  });
});

describe("a Namespace", () => {
  const namespace = (more: string): string =>
    `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n${more}`;

  test("gives labels, and is filed where every document has a place", () => {
    const { written, issues } = read(namespace("  labels: { team: a }\n"));
    expect(issues).toEqual([]);
    expect(written[0]?.document).toMatchObject({
      kind: "Namespace",
      metadata: { name: "shop", namespace: "default", labels: { team: "a" } },
    });
  });

  test.each([
    ["  namespace: other\n", "5 metadata.namespace", "stands in no namespace; leave it out"],
    ["  labels: { team: 1 }\n", "5 metadata.labels.team", "write it in quotes"],
    ["  generation: 1\n  size: 1\n", "6 metadata.size", "is not a member that exists here"],
  ])("says nothing else: %j", (more, place, message) => {
    const issues = issuesOf(namespace(more));
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain(`error ${place}: `);
    expect(issues[0]).toContain(message);
  });
});
