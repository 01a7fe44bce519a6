import { canonicalJson, digestOf } from "@tulle/mesh-runtime/policy/canonical.ts";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { Lexer } from "yaml";
import { Judgement } from "../../../control/policy-store/judgement.ts";
import { lookingAtPlaces, place } from "../../../control/policy-store/places.ts";
import { route, service } from "../support.ts";

const texts = (documents: Record<string, string>) => new Map(Object.entries(documents));
const web = { "Service/default/web": service("web") };

describe("Judgement", () => {
  test("what an earlier version took and nobody may apply any more holds where it is in force", async () => {
    const old = route("r", "web", "web").replaceAll("group: mesh.tulle.dev", 'group: ""');
    const judgement = new Judgement("mesh.local");
    const judged = await judgement.judge(texts({ ...web, "HTTPRoute/default/r": old }));
    expect(judged.services.map(({ view }) => view.service)).toEqual(["default/web"]);
    const narrowed = judged.issues.filter(({ path }) => path === "spec.rules[0].backendRefs[0].port");
    expect(narrowed).toMatchObject([{ severity: "warning", document: "HTTPRoute/default/r" }]);
    const again = judgement.read([{ source: "r.yaml", text: old }]);
    expect(again.edits).toEqual([]);
    expect(again.issues).toMatchObject([{ severity: "error", path: "spec.rules[0].backendRefs[0].port" }]);
  });

  test("a number with leading zeros, which an earlier version took, holds where it is in force", async () => {
    const old = `${route("r", "web", "web").trimEnd()}\n          port: 080\n`;
    const judgement = new Judgement("mesh.local");
    const judged = await judgement.judge(texts({ ...web, "HTTPRoute/default/r": old }));
    expect(judged.issues.filter(({ document }) => document === "HTTPRoute/default/r")).toEqual([]);
    expect(judgement.read([{ source: "r.yaml", text: old }]).issues).toMatchObject([{ severity: "error" }]);
  });

  test("expressions that are too large together hold where they are in force, and nobody may add to them", async () => {
    const large = (name: string) =>
      JSON.stringify({
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "HTTPRoute",
        metadata: { name },
        spec: {
          parentRefs: [{ group: "", kind: "Service", name: "web" }],
          rules: [0, 1].map((half) => ({
            matches: Array.from({ length: 64 }, (_, n) => ({
              path: { type: "RegularExpression", value: "/[ab]{980}" },
              headers: [{ name: "x", value: `${name}-${half}-${n}` }],
            })),
            backendRefs: [{ name: "web", port: 80 }],
          })),
        },
      });
    const named = (...names: readonly string[]) =>
      texts({
        ...web,
        ...Object.fromEntries(names.map((name) => [`HTTPRoute/default/${name}`, large(name)])),
      });
    const judgement = new Judgement("mesh.local");
    const before = () => ({ texts: named("a", "b", "c"), ages: new Map() });
    const severities = async (set: ReturnType<typeof named>, ...given: readonly string[]) => {
      const edits = given.flatMap((name) => judgement.read([{ source: name, text: large(name) }]).edits);
      const { issues } = await judgement.judge(set, edits, { before });
      return issues.flatMap(({ document, path, severity }) =>
        path === "spec.rules" ? [`${document.split("/")[2]} ${severity}`] : [],
      );
    };
    expect(await severities(named("a", "b", "c"))).toEqual(["a warning", "b warning", "c warning"]);
    expect(await severities(named("a", "b"))).toEqual(["a warning", "b warning"]);
    expect(await severities(named("a"))).toEqual([]);
    expect(await severities(named("a", "b", "c", "d"), "d")).toEqual([
      "a warning",
      "b warning",
      "c warning",
      "d error",
    ]);
  });

  test("compiles a valid set, the same whatever the order and whoever compiled before", async () => {
    const both = { ...web, "Service/default/payments": service("payments") };
    const used = new Judgement("mesh.local");
    await used.judge(texts(web));
    const one = await used.judge(texts(both));
    const other = await new Judgement("mesh.local").judge(new Map([...texts(both)].reverse()));
    const digests = (judged: typeof one) =>
      judged.services.map(({ view, compiled }) => [view.service, compiled?.digest]).sort();
    expect(digests(one)).toEqual(digests(other));
    expect(one.digest).toBe(other.digest);
    for (const { compiled } of one.services) {
      const text = `${compiled?.shared.text}${compiled?.own}`;
      expect(await digestOf(text)).toBe(compiled?.digest);
      expect(canonicalJson(JSON.parse(text))).toBe(text);
    }
  });

  test("a virtual service has no snapshot, and its circuit is known all the same", async () => {
    const judged = await new Judgement("mesh.local").judge(
      texts({
        ...web,
        "Service/default/shop": service("shop", "  virtual: true\n"),
        "HTTPRoute/default/r": route("r", "shop", "web"),
      }),
    );
    const shop = judged.services.find(({ view }) => view.service === "default/shop");
    expect(shop).toEqual({ view: expect.objectContaining({ virtual: true, circuit: expect.any(Object) }) });
  });

  const old = { "AuthorizationPolicy/default/old": "kind: AuthorizationPolicy\nformerly: valid\n" };

  test("a text in force that this version refuses neither vanishes nor stops a change: it is told, and closes", async () => {
    const judged = await new Judgement("mesh.local").judge(texts({ ...web, ...old }));
    expect(judged.issues).toContainEqual(
      expect.objectContaining({
        severity: "warning",
        source: "AuthorizationPolicy/default/old",
        document: "AuthorizationPolicy/default/old",
      }),
    );
    expect(judged.services[0]?.view.access.rules).toContainEqual({
      name: "AuthorizationPolicy/default/old/0",
      action: "DENY",
    });
  });

  test("what stands for a document of an unknown kind is nobody's fault, whatever is wrong with it", async () => {
    const unknown = "kind: Quarantine\nspec: { targetRefs: [{ kind: Service, name: gone }] }\n";
    const judged = await new Judgement("mesh.local").judge(
      texts({ ...web, "Quarantine/default/q": unknown }),
    );
    expect(judged.issues.filter(({ severity }) => severity === "error")).toEqual([]);
    expect(judged.services).toHaveLength(1);
  });

  test("the same text is refused where the change itself brings it back", async () => {
    const ref = { kind: "AuthorizationPolicy", namespace: "default", name: "old" };
    const text = old["AuthorizationPolicy/default/old"];
    const judged = await new Judgement("mesh.local").judge(texts({ ...web, ...old }), [{ ref, text }]);
    expect(judged.services).toEqual([]);
    expect(judged.issues).toContainEqual(expect.objectContaining({ severity: "error", path: "formerly" }));
  });

  test("what was wrong between documents before a change does not refuse it; what the change makes wrong does", async () => {
    const aimless =
      "{apiVersion: mesh.tulle.dev/v1, kind: AuthorizationPolicy, metadata: {name: NAME}, spec: {targetRefs: [{kind: Service, name: gone}], rules: [{}]}}";
    const policy = (name: string) => ({
      [`AuthorizationPolicy/default/${name}`]: aimless.replace("NAME", name),
    });
    const before = () => ({ texts: texts({ ...web, ...policy("a") }), ages: new Map() });
    const judgement = new Judgement("mesh.local");
    const errors = async (next: Record<string, string>) =>
      (await judgement.judge(texts(next), [], { before })).issues
        .filter(({ severity }) => severity === "error")
        .map(({ document }) => document);
    expect(await errors({ ...web, ...policy("a"), "Service/default/b": service("b") })).toEqual([]);
    expect(await errors({ ...web, ...policy("a"), ...policy("b") })).toEqual([
      "AuthorizationPolicy/default/b",
    ]);
  });

  test("an issue about a document that was given names its place there, one about another its name", async () => {
    const judgement = new Judgement("mesh.local");
    const bad = route("r", "nobody", "web");
    const { edits } = judgement.read([{ source: "file.yaml", text: `# above\n${bad}` }]);
    const given = await judgement.judge(
      texts({ ...web, "HTTPRoute/default/r": edits[0]?.text ?? "" }),
      edits,
    );
    expect(given.issues.find(({ unresolved }) => unresolved)).toMatchObject({
      source: "file.yaml",
      line: 10,
    });
    const stored = await judgement.judge(texts({ "HTTPRoute/default/r": edits[0]?.text ?? "" }));
    expect(stored.issues.find(({ unresolved }) => unresolved)).toMatchObject({
      source: "HTTPRoute/default/r",
      line: 10,
    });
  });
});

describe("places in documents in force", () => {
  const backends = (count: number) =>
    Array.from(
      { length: count },
      (_, n) => `        - group: mesh.tulle.dev\n          kind: Service\n          name: gone${n}\n`,
    ).join("");
  const many = (name: string) =>
    `${route(name, "web", "web").split("        - group: mesh.tulle.dev\n          kind: Service\n          name: web\n")[0]}${backends(16)}`;
  const set = texts({
    ...web,
    "HTTPRoute/default/a": many("a"),
    "HTTPRoute/default/b": many("b"),
  });

  test("cost one reading of a document, however many there are in it", async () => {
    const judgement = new Judgement("mesh.local");
    await judgement.judge(set);
    const read = vi.spyOn(Lexer.prototype, "lex");
    onTestFinished(() => read.mockRestore());
    const { issues } = await judgement.judge(set);
    expect(issues.filter(({ document }) => document === "HTTPRoute/default/a").length).toBeGreaterThan(15);
    expect(new Set(issues.map(({ line }) => line)).size).toBeGreaterThan(15);
    expect(read).toHaveBeenCalledTimes(set.size);
  });

  test("are not looked for any more when ten megabytes have been read for them", () => {
    const text = (n: number) => `# ${n}${"x".repeat(990_000)}\n\na: 1\n`;
    const lines = lookingAtPlaces(() =>
      Array.from({ length: 12 }, (_, n) => place("Service/default/web", text(n), ["a"]).line),
    );
    expect(lines).toEqual([...Array(10).fill(3), 1, 1]);
    expect(place("Service/default/web", text(0), ["a"]).line).toBe(3);
  });
});
