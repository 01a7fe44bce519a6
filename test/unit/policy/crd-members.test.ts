import { describe, expect, test } from "vitest";
import {
  at,
  byHeader,
  changed,
  documents,
  issuesOf,
  type Kind,
  kinds,
  type Member,
  mirror,
  nothing,
  type Place,
  placeOf,
  pruned,
} from "./crd-documents.ts";

/*
 * Every member of the kinds of Gateway API is read exactly as its CRD bounds it, except for what stands here. Each
 * exception must be one: a member or value that it names and that is no exception fails.
 */

/** What a rule across members (CEL) says of a value at this place of the documents. */
const ruled: readonly (readonly [path: RegExp, holds: (value: unknown) => boolean])[] = [
  [
    /matches\[\]\.path\.value$/,
    (value) =>
      /^(?!.*(?:\/\/|\/\.\.?(?:\/|$)))\/(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})*$/.test(
        String(value),
      ),
  ],
  [/fraction\.numerator$/, (value) => Number(value) <= 2],
  [/filters\[\]\.type$/, (value) => value === "RequestHeaderModifier"],
  [/(?:requestRedirect|urlRewrite)\.path\.type$/, (value) => value === "ReplaceFullPath"],
  [/sessionPersistence\.type$/, (value) => value === "Cookie"],
  [/budget\.interval$/, (value) => ["1s", "1s1s1s1s", "1h"].includes(String(value))],
  [/minRetryRate\.interval$/, (value) => value !== "0s"],
];

const isName = (value: unknown): boolean =>
  /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/.test(String(value));
const isHost = (value: unknown): boolean =>
  String(value)
    .split(".")
    .every((label) => label.length <= 63);
const isPath = (value: unknown): boolean => /^[A-Za-z0-9/\-._~!$&'()*+,;=:@%]*$/.test(String(value));

/** What the CRD takes and the mesh does not, with the reason that `docs/gateway-api.md` gives. */
const stricter: readonly (readonly [why: string, path: RegExp, isTaken: (value: unknown) => boolean])[] = [
  ["no document has such a name", /(?:Refs?(?:\[\])?|to\[\])\.name$/, isName],
  [
    "names of Services are labels",
    /targetRefs\[\]\.name$/,
    (value) => String(value).length <= 63 && !String(value).includes("."),
  ],
  ["no host has labels of 64 characters", /(?:hostnames\[\]|hostname)$/, isHost],
  [
    "no listener takes an address for a host",
    /(?:hostnames\[\]|listeners\[\]\.hostname)$/,
    (value) => !/^[\d.]+$/.test(String(value)),
  ],
  ["routes attach to Gateways and Services", /parentRefs\[\]\.kind$/, (value) => value === "Gateway"],
  [
    "routes attach to Gateways and Services",
    /parentRefs\[\]\.group$/,
    (value) => value === "gateway.networking.k8s.io",
  ],
  ["policies are for Services", /targetRefs\[\]\.kind$/, (value) => value === "Service"],
  ["policies are for Services", /targetRefs\[\]\.group$/, (value) => value === ""],
  ["the class is called tulle", /gatewayClassName$/, (value) => value === "tulle"],
  [
    "a worker is handed requests",
    /listeners\[\]\.protocol$/,
    (value) => ["HTTP", "HTTPS"].includes(String(value)),
  ],
  ["a worker is handed requests", /tls\.mode$/, (value) => value === "Terminate"],
  [
    "a path begins with a slash and has no query",
    /replaceFullPath$/,
    (value) => isPath(value) && String(value).startsWith("/"),
  ],
  ["a path has no query", /replacePrefixMatch$/, isPath],
  [
    "no header has such a name",
    /remove\[\]$/,
    (value) => /^[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}$/.test(String(value)),
  ],
  ["no origin has such a port", /allowOrigins\[\]$/, (value) => !String(value).endsWith(":99999")],
  ["a session of no time is none", /absoluteTimeout$/, (value) => value !== "0s"],
  [
    "browsers take no other path",
    /cookie\.path$/,
    (value) => /^\/[\x21-\x3a\x3c-\x7e]*$/.test(String(value)),
  ],
  ["a call tree has no credits for more", /retry\.attempts$/, (value) => Number(value) <= 100],
  [
    "no label has such a key",
    /matchExpressions\[\]\.key$/,
    (value) =>
      /^[A-Za-z0-9](?:[A-Za-z0-9./_-]*[A-Za-z0-9])?$/.test(String(value)) && String(value).length <= 317,
  ],
  ["Kubernetes has four operators", /matchExpressions\[\]\.operator$/, () => false],
  [
    "no label has such a value",
    /matchExpressions\[\]\.values\[\]$/,
    (value) =>
      /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?$/.test(String(value)) && String(value).length <= 63,
  ],
];

/** Members that a rule demands, or the mesh, where the schema of the CRD does not. */
const needed: readonly RegExp[] = [
  /(?:backendRefs\[\]|backendRef)\.port$/,
  /filters\[\]\.(?:requestHeaderModifier|responseHeaderModifier|requestMirror|requestRedirect|urlRewrite|cors)$/,
  /\.replace(?:FullPath|PrefixMatch)$/,
  /sessionPersistence\.(?:absoluteTimeout|cookie|header)$/,
  /tls\.certificateRefs$/,
  // The type of the session's document that stands first is Cookie, which is the default.
  /namespaces\.selector$/,
  // `In` compares with values.
  /matchExpressions\[\]\.values$/,
];

const long = (length: number | undefined): readonly string[] =>
  length === undefined ? [] : [length, length + 1].map((count) => "a".repeat(count));

const texts = (member: Member): readonly unknown[] => [
  ...[
    "",
    "a",
    "A",
    "a-b",
    "a-",
    "-a",
    "a.b",
    "a..b",
    ".a",
    "a.",
    "*.a",
    "*.*.a",
    "*",
    "a.*",
    "1",
    "1.2.3.4",
    "a_b",
    "a:80",
  ],
  ...[
    "a b",
    "a  b",
    "a\tb",
    "a\t b",
    " a",
    "a ",
    "é",
    "a\n",
    "a/b",
    "/a",
    "/a//b",
    "/a/../b",
    "/a/.",
    "/a%2",
    "/a?b",
    "/a#b",
    "/a;b",
  ],
  ...["1s", "0s", "1h", "1s1s1s1s", "1s1s1s1s1s", "100000s", "1.5s", "-1s", "1d", "s"],
  ...[
    "https://a",
    "http://*.a.b:80",
    "http://a:99999",
    "http://a:100000",
    "http://a/b",
    "ftp://a",
    "http://*",
  ],
  ...[
    "GET",
    "get",
    "Service",
    "Gateway",
    "A-b",
    "a--b",
    "gateway.networking.k8s.io",
    "tulle",
    "HTTP",
    "x-k8s.io/a",
  ],
  ...(member.enum ?? []),
  ...long(member.maxLength),
  "a".repeat(64),
  "😀".repeat(3),
  ...[1, true, {}, []],
];

const numbers = ({ minimum = 0, maximum = 100 }: Member): readonly unknown[] => [
  ...[
    minimum - 1,
    minimum,
    maximum,
    maximum + 1,
    0,
    1,
    -1,
    2,
    100,
    101,
    301,
    302,
    2_147_483_647,
    2_147_483_648,
  ],
  ...[minimum + 0.5, String(minimum), true, {}, []],
];

/** Whether the schema of the CRD takes a value. */
function isRight(member: Member, value: unknown): boolean {
  if (member.enum !== undefined && !member.enum.includes(value)) return false;
  switch (member.type) {
    case "boolean":
      return typeof value === "boolean";
    case "integer":
      return (
        Number.isInteger(value) &&
        Number(value) >= (member.minimum ?? Number.NEGATIVE_INFINITY) &&
        Number(value) <=
          (member.maximum ?? (member.format === "int32" ? 2_147_483_647 : Number.POSITIVE_INFINITY))
      );
    case "string": {
      if (typeof value !== "string") return false;
      const length = [...value].length;
      if (length < (member.minLength ?? 0) || length > (member.maxLength ?? Number.POSITIVE_INFINITY))
        return false;
      return member.pattern === undefined || new RegExp(member.pattern).test(value);
    }
    default:
      return false;
  }
}

const isRuled = (path: string, value: unknown): boolean =>
  ruled.every(([where, holds]) => !where.test(path) || holds(value));

/** The item of a list that stands at an index, unlike all others. */
function item(path: string, like: unknown, index: number): unknown {
  const name = path.split(".").at(-1);
  if (name === "filters") return mirror();
  if (name === "codes") return 400 + index;
  if (name === "allowMethods")
    return ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"][index] ?? "x";
  if (name === "allowOrigins") return `https://h${index}.example`;
  if (typeof like === "string") return `n${index}`;
  const object = like as Readonly<Record<string, unknown>>;
  if (name === "rules") return { name: `n${index}` };
  if (name === "matches") return { path: { value: `/${index}` } };
  if (name === "kinds") return { kind: `K${index}` };
  if (name === "from") return { ...object, namespace: `n${index}` };
  if (name === "listeners") return { name: `n${index}`, port: 1_000 + index, protocol: "HTTP" };
  if (name === "matchExpressions") return { key: `n${index}`, operator: "Exists" };
  return { ...object, name: `n${index}` };
}

const list = (path: string, like: unknown, count: number): readonly unknown[] =>
  Array.from({ length: count }, (_, index) => item(path, like, index));

/** A document that says a member and little else, and where. */
function carrierOf(kind: Kind, path: string): readonly [document: unknown, place: Place] {
  for (const document of kind === "XBackendTrafficPolicy" ? [documents[kind], byHeader] : [documents[kind]]) {
    const place = placeOf(document, path);
    if (place !== undefined) return pruned(document, place);
  }
  throw new Error(`no document says ${kind} ${path}`);
}

const every = (Object.keys(kinds) as Kind[]).flatMap((kind) =>
  Object.entries(kinds[kind].members)
    .filter(([path]) => path !== "spec" && !path.endsWith("{}"))
    .map(([path, member]): readonly [Kind, string, Member] => [kind, path, member]),
);
const ofTypes = (...types: readonly Member["type"][]) =>
  every.filter(([, , { type }]) => types.includes(type));

test.each([...Object.entries(documents), ["session by header", byHeader] as const])(
  "%s with every member is read",
  (_name, document) => {
    expect(issuesOf(document)).toEqual([]);
  },
);

describe("a value is taken exactly where the CRD takes it", () => {
  const used = new Set<unknown>();

  test.each(ofTypes("string", "integer", "boolean"))("%s %s", (kind, path, member) => {
    const [document, place] = carrierOf(kind, path);
    const values = member.type === "string" ? texts(member) : numbers(member);
    for (const value of values) {
      const exceptions = stricter.filter(([, where, isTaken]) => where.test(path) && !isTaken(value));
      const right = isRight(member, value) && isRuled(path, value);
      if (right) for (const exception of exceptions) used.add(exception);
      const issues = issuesOf(changed(document, place, value));
      const taken = issues.length === 0;
      expect({ value, taken, issues }).toEqual({ value, taken: right && exceptions.length === 0, issues });
    }
  });

  test("with no exception that is none", () => {
    expect(stricter.filter((one) => !used.has(one)).map(([why, path]) => `${why}: ${path}`)).toEqual([]);
  });
});

describe("a list is as long as the CRD has it", () => {
  test.each(ofTypes("array"))("%s %s", (kind, path, { minItems = 0, maxItems, list: means, keys = [] }) => {
    const [document, place] = carrierOf(kind, path);
    const [like] = at(document, place) as readonly unknown[];
    const isTaken = (value: unknown): boolean => issuesOf(changed(document, place, value)).length === 0;
    expect([1, 2].map((count) => isTaken(list(path, like, count)))).toEqual([true, (maxItems ?? 2) >= 2]);
    expect(isTaken([])).toBe(minItems === 0 && !needed.some((where) => where.test(path)));
    if (maxItems !== undefined) expect(isTaken(list(path, like, maxItems))).toBe(true);
    if (maxItems !== undefined) expect(isTaken(list(path, like, maxItems + 1))).toBe(false);
    expect(["a", {}, 1].map(isTaken)).toEqual([false, false, false]);
    const [one, other] = list(path, like, 2);
    if (means === "set") expect(isTaken([one, one])).toBe(false);
    if (means === "map") {
      const same = Object.fromEntries(keys.map((key) => [key, Reflect.get(one as object, key)]));
      expect(isTaken([one, { ...(other as object), ...same }])).toBe(false);
    }
  });
});

describe("an object says what the CRD demands, and nothing that it does not know", () => {
  test.each([
    ...ofTypes("object"),
    ...(Object.keys(kinds) as Kind[]).map(
      (kind) => [kind, "spec", kinds[kind].members.spec as Member] as const,
    ),
  ])("%s %s", (kind, path, { required = [] }) => {
    const children = Object.keys(kinds[kind].members).filter(
      (one) => one.startsWith(`${path}.`) && !/[.[{]/.test(one.slice(path.length + 1)),
    );
    for (const child of children) {
      const [document, place] = carrierOf(kind, child);
      const isNeeded =
        required.includes(child.slice(path.length + 1)) || needed.some((where) => where.test(child));
      for (const absent of [nothing, null]) {
        const issues = issuesOf(changed(document, place, absent));
        expect({ child, taken: issues.length === 0, issues }).toEqual({ child, taken: !isNeeded, issues });
      }
    }
    const [document, place] = carrierOf(kind, path);
    if (kinds[kind].members[`${path}{}`] !== undefined) return;
    expect(issuesOf(changed(document, [...place, "unheardOf"], 1)).join()).toContain(
      "is not a member that exists here",
    );
    for (const wrong of ["a", 1, []]) expect(issuesOf(changed(document, place, wrong))).not.toEqual([]);
  });
});

describe("texts by name are as many and as long as the CRD has it", () => {
  test.each(
    ofTypes("object").filter(([kind, path]) => kinds[kind].members[`${path}{}`]?.maxLength !== undefined),
  )("%s %s", (kind, path, { maxProperties = 0 }) => {
    const [document, place] = carrierOf(kind, path);
    const isTaken = (value: unknown): boolean => issuesOf(changed(document, place, value)).length === 0;
    const named = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`n${index}`, ""]));
    expect([0, 1, maxProperties, maxProperties + 1].map((count) => isTaken(named(count)))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    const item = kinds[kind].members[`${path}{}`] as Member;
    for (const value of texts(item))
      expect({ value, taken: isTaken({ a: value }) }).toEqual({ value, taken: isRight(item, value) });
  });
});

test.each(
  (Object.keys(kinds) as Kind[]).flatMap((kind) =>
    kinds[kind].refusedHere.map((path) => [kind, path] as const),
  ),
)("%s %s is refused with the reason", (kind, path) => {
  const parent = path.slice(0, path.lastIndexOf("."));
  const [document, place] = carrierOf(kind, parent);
  expect(issuesOf(changed(document, [...place, path.slice(parent.length + 1)], {})).join()).toMatch(
    /not supported|does not belong to the type/,
  );
});
