import fc from "fast-check";
import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import { decider } from "../../../mesh-runtime/authorization/decide.ts";
import type { AuthorizationRule, PathMatch } from "../../../mesh-runtime/authorization/words.ts";
import { pathMatch } from "../../../mesh-runtime/policy/access-match.ts";
import { get } from "./subjects.ts";

const matchOf = (written: string): PathMatch => {
  const match = pathMatch(written);
  if (!match.ok) throw new Error(match.reason);
  return match.value;
};

const rule = (action: "ALLOW" | "DENY", ...paths: readonly string[]): AuthorizationRule => ({
  name: `${action} ${paths.join(" ")}`,
  action,
  ...(paths.length === 0 ? {} : { to: [{ paths: paths.map(matchOf) }] }),
});

/** The path of a request line, as a runtime hands it to an application. */
const arriving = (spelling: string): string => new URL(`http://app.example${spelling}`).pathname;

const judging = (...rules: readonly AuthorizationRule[]) => {
  const decide = decider(rules, "STRICT");
  return (path: string): boolean => decide(get(path)).allowed;
};

const exceptAdmin = judging(rule("ALLOW"), rule("DENY", "/admin", "/admin/*"));
const publicAlone = judging(rule("ALLOW", "/public", "/public/*"));

describe("DENY /admin", () => {
  test.each([
    "/admin",
    "/admin/",
    "/admin/users",
    "/%61dmin",
    "/%61%64%6D%69%6E",
    "/adm%69n",
    "/adm%69n/users",
    "/Admin",
    "/ADMIN",
    "/%41dmin",
    "/aDmIn/users",
    "//admin",
    "///admin",
    "/admin//",
    "/admin//users",
    "/./admin",
    "/x/../admin",
    "/x/%2e%2e/admin",
    "/x/%2E./admin",
    "/x/..%2fadmin",
    "/x/..%2Fadmin",
    "/x%2f..%2fadmin",
    "/%2fadmin",
    "/%2e%2fadmin",
    "/%2e%2e%2fadmin",
    "/admin%2f",
    "/admin%2fusers",
    "/\\admin",
    "/x\\..\\admin",
    "/%5cadmin",
    "/%5Cadmin",
    "/x/..%5cadmin",
    "/x%5c..%5cadmin",
    "/admin%5cusers",
    "/%2561dmin",
    "/%252561dmin",
    "/%25%36%31dmin",
    "/%252fadmin",
    "/x/%252e%252e/admin",
    "/%25%32%66admin",
    "/admin;x",
    "/admin;x=1/users",
    "/admin;",
    "/admin%3Bx",
    "/;x/admin",
    "/.;/admin",
    "/x/..;/admin",
    "/x/..;y=1/admin",
    "/x/%2e%2e;/admin",
    "/admin.",
    "/admin..",
    "/admin%2e",
    "/admin%20",
    "/admin%20/users",
    "/admin.%20.",
    "/admin.;x",
    "/Admin.;x=1/",
    "/admin%00",
    "/admin%00.png",
    "/%00/admin",
    "/admin%0a",
    "/admin%0d%0a",
    "/admin%09",
    "/%c0%af../admin",
    "/%c0%afadmin",
    "/%e0%80%afadmin",
    "/%c1%a1dmin",
    "/%ef%bd%81dmin",
    "/%EF%BC%A1DMIN",
    "/\u24D0dmin",
    "/adm\u0131n",
    "/\uFF0Fadmin",
    "/%ef%bc%8fadmin",
    "/x/%ef%bc%8e%ef%bc%8e/admin",
    "/x/%e2%80%a5/admin",
    "/admin%ef%bc%8e",
    "/admin%cd%bex",
    "/admin%",
    "/admin%zz",
    "/admin/#x",
    "/admin?x=/public",
  ])("holds for %j", (spelling) => {
    expect(exceptAdmin(arriving(spelling))).toBe(false);
  });

  test.each([
    "/",
    "/administrator",
    "/admi",
    "/x/admin",
    "/public",
    "/public/",
    "/Public/x",
    "/adm",
    "/my-admin",
    "/x;admin",
    "/x;/admin",
    "/caf%C3%A9",
    "/a%20b.",
    "/public?path=/admin",
    "/public#/admin",
  ])("leaves %j", (spelling) => {
    expect(exceptAdmin(arriving(spelling))).toBe(true);
  });

  test("is about the letters in which it is written, in whatever form they come", () => {
    const exceptCafé = judging(rule("ALLOW"), rule("DENY", "/Café"));
    for (const spelling of ["/Café", "/cafe\u0301", "/CAF%C3%89", "/caf%c3%a9/", "/cafe%cc%81;x"])
      expect([spelling, exceptCafé(arriving(spelling))]).toEqual([spelling, false]);
    expect(exceptCafé(arriving("/cafe"))).toBe(true);
  });

  test("holds for each spelling of the slash at the end of a prefix, a suffix and a template", () => {
    const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
      ["/a/*", ["/a/", "/a", "/A", "/a;x", "/a/b", "/a./"], ["/ab", "/b/a"]],
      ["*.php", ["/x.php", "/x.php/", "/x.PHP", "/x.php;y", "/x.php.", "/x.p%68p"], ["/x.phpx", "/php"]],
      ["/u/{*}/keys", ["/u/1/keys", "/U/1/KEYS/", "/u/1;x/keys;y", "/u/1/keys."], ["/u/keys", "/u/1/2/keys"]],
      ["/u/{**}/keys", ["/u/1/keys", "/u/1/2/Keys", "/u/1/2/keys/"], ["/u/keys", "/keys"]],
      ["/u/{**}", ["/u/", "/u/1", "/u", "/u/1/2"], ["/ux"]],
    ];
    for (const [pattern, denied, left] of cases) {
      const allowed = judging(rule("ALLOW"), rule("DENY", pattern));
      for (const path of denied) expect([pattern, path, allowed(path)]).toEqual([pattern, path, false]);
      for (const path of left) expect([pattern, path, allowed(path)]).toEqual([pattern, path, true]);
    }
  });
});

describe("ALLOW /public", () => {
  test.each([
    "/public",
    "/public/",
    "/public/x",
    "/public/x/",
    "/%70ublic/x",
    "/public/%78",
    "/public/X",
    "/public/x;y=1",
    "/public/x.",
    "/public/caf%C3%A9",
    "/public/cafe%CC%81",
    "/public/a%20b",
    "/public/../public/x",
    "/x/../public/x",
    "/public/x?y=/../admin",
  ])("lets %j in", (spelling) => {
    expect(publicAlone(arriving(spelling))).toBe(true);
  });

  test.each([
    "/Public/x",
    "/PUBLIC",
    "/public;x",
    "/public;x/y",
    "/public.",
    "/public%20",
    "/publicity",
    "/public/../admin",
    "/public/%2e%2e/admin",
    "/public/..%2fadmin",
    "/public%2f..%2fadmin",
    "/public/..%5cadmin",
    "/public\\..\\admin",
    "/public/..;/admin",
    "/public/..;x=1/admin",
    "/public/;x/../../admin",
    "/public/%252e%252e%252fadmin",
    "/public/%25%32%65%25%32%65/admin",
    "/public//x",
    "/public/./..//admin",
    "/public/%00",
    "/public/x%00/../../admin",
    "/public/%c0%ae%c0%ae/admin",
    "/public/%c0%af",
    "/public/%ef%bc%8e%ef%bc%8e/admin",
    "/public/..%ef%bc%8fadmin",
    "/public/%e2%80%a5/admin",
    "/public%",
    "/p%75blicity",
    "//public/x",
    "/%2fpublic/x",
    "/admin?x=/public/",
    "/admin#/public/",
    "/admin;/public/x",
    "/%EF%BD%90ublic/x",
  ])("keeps %j out", (spelling) => {
    expect(publicAlone(arriving(spelling))).toBe(false);
  });

  test("of a suffix is not had by parameters, which the application may leave out", () => {
    const stylesheets = judging(rule("ALLOW", "*.css"));
    expect(stylesheets("/a/b.css")).toBe(true);
    for (const path of ["/admin;x.css", "/admin;.css", "/admin%3b.css", "/admin;x.css."])
      expect([path, stylesheets(path)]).toEqual([path, false]);
  });

  test("of some paths and not others excepts each spelling of the others", () => {
    const mostly = judging({
      name: "mostly",
      action: "ALLOW",
      to: [{ paths: [matchOf("/api/*")], notPaths: [matchOf("/api/keys*")] }],
    });
    expect(mostly("/api/users")).toBe(true);
    for (const path of ["/api/keys", "/api/Keys", "/api/keys/", "/api/keys;x", "/api/%6beys.", "/api/keyſ"])
      expect([path, mostly(arriving(path))]).toEqual([path, false]);
  });

  test("is not widened by a DENY that excepts a path", () => {
    const except = judging(rule("ALLOW"), {
      name: "all but public",
      action: "DENY",
      to: [{ notPaths: [matchOf("/public/*")] }],
    });
    expect(except("/public/x")).toBe(true);
    for (const path of ["/Public/x", "/public;x/y", "/public./x", "/x", "/public"])
      expect([path, except(path)]).toEqual([path, false]);
  });
});

/** What some application, framework, proxy or file system does with a path before it looks for the resource. */
const steps: Readonly<Record<string, (path: string) => string>> = {
  decode: (path) =>
    path.replace(/(?:%[0-9a-f]{2})+/gi, (run) => {
      try {
        return decodeURIComponent(run);
      } catch {
        // Not UTF-8: what a lenient decoder makes of an overlong slash or dot.
        return run.replace(/%c0%af/gi, "/").replace(/%c0%ae/gi, ".");
      }
    }),
  backslashes: (path) => path.replaceAll("\\", "/"),
  slashes: (path) => path.replace(/\/{2,}/g, "/"),
  dots: (path) => {
    const kept: string[] = [];
    for (const segment of path.split("/").slice(1)) {
      if (segment === "..") kept.pop();
      else if (segment !== ".") kept.push(segment);
    }
    return `/${kept.join("/")}`;
  },
  parameters: (path) => path.replace(/;[^/]*/g, ""),
  nul: (path) => path.split("\0", 1)[0] ?? "",
  tail: (path) => (path.length > 1 ? path.replace(/\/+$/, "") : path),
  trim: (path) => path.replace(/([^/. ])[. ]+(?=\/|$)/g, "$1"),
  lower: (path) => path.toLowerCase(),
  upper: (path) => path.toUpperCase().toLowerCase(),
  compose: (path) => path.normalize("NFC"),
  compatible: (path) => path.normalize("NFKC"),
};

/** Any reader: steps in any order, decoding twice or never among them. */
const reader = fc.shuffledSubarray([...Object.keys(steps), "decode", "dots", "slashes"]).map((names) => ({
  names,
  read: (path: string) => names.reduce((seen, name) => steps[name]?.(seen) ?? seen, path),
}));

const pieces = [
  ..."/ / / admin admin ADMIN %61dmin public public Public %70ublic x a".split(" "),
  ...".. . %2e %2E%2e ; ;x %3b %2f %2F \\ %5c // %20 %00 %25 61 2f %252f %2561 %25%36%31".split(" "),
  ..."%c0%af %c0%ae é e%CC%81 %C3%A9 %EF%BC%8F %EF%BC%8E %CD%BE %EF%BD%81dmin adm\u0131n %".split(" "),
];
const anySpelling = fc
  .array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 9 })
  .map((parts) => arriving(`/${parts.join("")}`));

const isAt = (root: string, path: string): boolean => path === root || path.startsWith(`${root}/`);

describe("whatever an application makes of a path", () => {
  test("what it serves as denied is denied", () => {
    let met = 0;
    fc.assert(
      fc.property(anySpelling, reader, (path, { read }) => {
        if (!isAt("/admin", read(path))) return;
        met++;
        expect(exceptAdmin(path)).toBe(false);
      }),
      { seed: 11, numRuns: 20_000 },
    );
    expect(met).toBeGreaterThan(200);
  });

  test("what is allowed is what it serves as allowed", () => {
    let met = 0;
    fc.assert(
      fc.property(anySpelling, reader, (path, { read }) => {
        if (!publicAlone(path)) return;
        met++;
        // Who never decodes knows the resource by its escapes (RFC 3986 §6.2.2.2).
        expect(isAt("/public", steps.decode?.(read(path)) ?? "")).toBe(true);
      }),
      { seed: 12, numRuns: 20_000 },
    );
    expect(met).toBeGreaterThan(200);
  });

  test("one character spelled otherwise lets nobody in who was kept out", () => {
    const spelled = (character: string): readonly string[] => {
      const hex = character.charCodeAt(0).toString(16).padStart(2, "0");
      return [`%${hex}`, `%${hex.toUpperCase()}`, `%25${hex}`, character.toUpperCase(), `${character};`];
    };
    fc.assert(
      fc.property(fc.nat(12), fc.nat(4), fc.nat(12), fc.nat(4), (first, how, second, also) => {
        const characters = [..."/admin/users"];
        const change = (at: number, way: number): void => {
          const was = characters[at];
          if (was !== undefined && was.length === 1) characters[at] = spelled(was)[way] ?? was;
        };
        change(first, how);
        change(second, also);
        const path = arriving(`/${characters.slice(1).join("")}`);
        const kept = steps.decode?.(steps.parameters?.(path) ?? "").toLowerCase() ?? "";
        if (isAt("/admin", kept)) expect([path, exceptAdmin(path)]).toEqual([path, false]);
      }),
      { seed: 13, numRuns: 3_000 },
    );
  });

  test.each([true, false])("Hono (strict: %j) serves nothing that is denied", async (strict) => {
    const app = new Hono({ strict });
    app.all("/admin", (context) => context.text("admin"));
    app.all("/admin/*", (context) => context.text("admin"));
    app.all("*", (context) => context.text("other"));
    const paths = fc.sample(anySpelling, { seed: 14, numRuns: 2_000 });
    let met = 0;
    for (const path of paths) {
      const served = await (await app.request(`http://app.example${path}`)).text();
      if (served !== "admin") continue;
      met++;
      expect([path, exceptAdmin(path)]).toEqual([path, false]);
    }
    expect(met).toBeGreaterThan(10);
  });
});
