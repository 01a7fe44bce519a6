import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Ended, temporaryDirectory, tulle } from "../cli/tulle.ts";
import { entrance, open, split, virtual } from "../support/policy-texts.ts";

/** Where a document is wrong, and what is said of it. */
interface Bad {
  readonly file: string;
  readonly text: string;
  /** `line:column`, 1-based. */
  readonly at: string;
  readonly path: string;
  readonly message: string;
}

const service = (spec: string): string =>
  `apiVersion: mesh.tulle.dev/v1\nkind: Service\nmetadata: { name: payments-v1 }\nspec:\n${spec}`;
const route = (rules: string): string =>
  `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: payments }
spec:
  parentRefs: [{ group: "", kind: Service, name: payments }]
  rules:
${rules}`;

/** Wrong by themselves: told all at once. */
const bad: readonly Bad[] = [
  {
    file: "kind.yaml",
    text: "apiVersion: gateway.networking.k8s.io/v1\nkind: HttpRoute\nmetadata: { name: a }\nspec: {}\n",
    at: "2:7",
    path: "kind",
    message: 'The kind "HttpRoute" is not known; did you mean "HTTPRoute"?',
  },
  {
    file: "member.yaml",
    text: route("    - backendRef: [{ name: payments-v1, port: 80 }]\n"),
    at: "7:7",
    path: "spec.rules[0].backendRef",
    message: 'spec.rules[0].backendRef is not a member that exists here; did you mean "backendRefs"?',
  },
  {
    file: "type.yaml",
    text: "apiVersion: mesh.tulle.dev/v1\nkind: Telemetry\nmetadata: { name: t }\nspec:\n  sampleRatio: often\n",
    at: "5:16",
    path: "spec.sampleRatio",
    message: 'spec.sampleRatio must be a number from 0 to 1, found "often".',
  },
  {
    file: "document-twice.yaml",
    text: `${service("  mode: STRICT\n")}---\n${service("  mode: PERMISSIVE\n")}`,
    at: "7:1",
    path: "",
    message: "Service/default/payments-v1 is given twice; keep one of the two.",
  },
  {
    file: "member-twice.yaml",
    text: service("  mode: STRICT\n  mode: PERMISSIVE\n"),
    at: "6:3",
    path: "mode",
    message: 'The member "mode" stands here twice; keep one of the two.',
  },
  {
    file: "weight.yaml",
    text: route("    - backendRefs:\n        - name: payments-v2\n          weight: -1\n"),
    at: "9:19",
    path: "spec.rules[0].backendRefs[0].weight",
    message: "spec.rules[0].backendRefs[0].weight must be a whole number from 0 to 1000000, found -1.",
  },
  {
    file: "spiffe-id.yaml",
    text: `apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: who }
spec:
  targetRefs: [{ kind: Service, name: payments-v1 }]
  rules:
    - from:
        - source:
            principals:
              - mesh.local/ns/default/sa/web
              - spiffe://mesh.local/ns//sa/web
`,
    at: "11:17",
    path: "spec.rules[0].from[0].source.principals[1]",
    message:
      'spec.rules[0].from[0].source.principals[1]: it must be a SPIFFE ID such as "mesh.local/ns/default/sa/web", or "*".',
  },
  {
    file: "yaml.yaml",
    text: "apiVersion: mesh.tulle.dev/v1\nkind: Service\nmetadata: { name: a }\nspec:\n  mode: [STRICT\n",
    at: "6:1",
    path: "",
    message:
      "This is not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ].",
  },
];

/** Right by itself, and leading nowhere beside the others: in order by Gateway API, with a condition. */
const lost: Bad = {
  file: "lost.yaml",
  text: route(
    "    - backendRefs:\n        - { name: payments-v1, port: 80 }\n        - { name: payments-v3, port: 80 }\n",
  ),
  at: "9:19",
  path: "spec.rules[0].backendRefs[1].name",
  message:
    'The Service default/payments-v3 does not exist; did you mean "default/payments-v1"? Until then its share of the requests is answered with 500.',
};

const viewer = "viewer-token-of-this-test-0123456789abcdef";
const directory = temporaryDirectory();
const hourMs = 3_600_000;
let mesh: TestMesh;

beforeAll(async () => {
  for (const { file, text } of [...bad, lost]) writeFileSync(join(directory.path, file), text);
  writeFileSync(
    join(directory.path, "large.yaml"),
    `${service("  mode: STRICT\n")}# ${"x".repeat(2_097_152)}\n`,
  );
  mesh = await startMesh({
    services: {
      web: { fetch: () => new Response("web") },
      "payments-v1": { fetch: () => new Response("v1") },
      "payments-v2": { fetch: () => new Response("v2") },
    },
    policies: [
      entrance("web"),
      virtual("payments"),
      open("web", "payments-v1", "payments-v2"),
      split("payments", { "payments-v1": 1, "payments-v2": 0 }),
    ],
    controlVars: {
      TULLE_VIEWER_TOKEN: viewer,
      TULLE_OPERATOR_TOKEN_EXPIRES: new Date(Date.now() + hourMs).toISOString(),
    },
  });
});
afterAll(async () => {
  directory[Symbol.dispose]();
  await mesh.dispose();
});

/** Everything that is published: documents, heads, snapshots, bundle. */
async function published(): Promise<ReadonlyMap<string, string | null>> {
  const kv = await mesh.runtime.getKVNamespace("POLICIES", "tulle-control");
  const { keys } = await kv.list();
  return new Map(
    await Promise.all(keys.map(async ({ name }) => [name, await kv.get(name, "text")] as const)),
  );
}

let before: ReadonlyMap<string, string | null>;
beforeEach(async () => {
  before = await published();
});
afterEach(async () => {
  expect(await published()).toEqual(before);
  const answer = await mesh.from("web").fetch("http://payments/");
  expect(await answer.text()).toBe("v1");
});

const run = (words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> =>
  tulle(words, {
    cwd: directory.path,
    env: { TULLE_URL: mesh.operator.url, TULLE_TOKEN: mesh.operator.token, ...env },
  });

/** An issue's first line and its advice, as the command line prints them. */
const told = ({ file, at, path, message }: Bad): RegExp =>
  new RegExp(
    `^${literal(`${file}:${at}  error  ${path}`)}.*(?:\n  [ \\d]*\\|.*|\n  \\d+ \\|.*)*\n  ${literal(message)}$`,
    "m",
  );
const literal = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");

describe("the API", () => {
  test("refuses every bad document with its line, column and path, all of them at once", async () => {
    const answer = await apply(bad);
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({ applied: false, revision: 1 });
    for (const { file, at, path, message } of bad) {
      const [line, column] = at.split(":").map(Number);
      expect(answer.body.issues, file).toContainEqual(
        expect.objectContaining({ severity: "error", source: file, line, column, path, message }),
      );
    }
    expect(answer.body.issues).toHaveLength(bad.length);
  });

  test("refuses a good document that comes with a bad one", async () => {
    const good = { file: "good.yaml", text: split("payments", { "payments-v1": 0, "payments-v2": 1 }) };
    const [first] = bad;
    const answer = await apply(first === undefined ? [good] : [good, first]);
    expect(answer.status).toBe(422);
    expect(answer.body.issues.map(({ source }) => source)).toEqual(["kind.yaml"]);
  });

  test("refuses a body that is no JSON, and one of another form, without repeating it", async () => {
    const post = (body: string) => mesh.api("/api/policies", { method: "POST", body });
    const [broken, other] = await Promise.all([post('{ "sources": secret'), post('{ "sources": "secret" }')]);
    expect(broken.status).toBe(400);
    expect(await broken.json()).toMatchObject({ detail: "The body is not JSON." });
    expect(other.status).toBe(400);
    const text = await other.text();
    expect(text).toContain("sources");
    expect(text).not.toContain("secret");
  });
});

describe("the command line", () => {
  test("shows every bad document of a folder with its line, column and path, and exits with 3", async () => {
    const files = bad.flatMap(({ file }) => ["-f", file]);
    const ended = await run(["apply", ...files]);
    expect(ended).toMatchObject({ code: 3, stdout: "" });
    for (const each of bad) expect(ended.stderr).toMatch(told(each));
    expect(ended.stderr).toMatch(
      new RegExp(`^Refused: ${bad.length} errors. Nothing was changed; revision 1 stays in force.$`, "m"),
    );
  });

  test("shows where a reference leads nowhere, and what may have been meant, and is asked to be strict about it", async () => {
    const ended = await run(["apply", "--strict", "-f", lost.file]);
    expect(ended).toMatchObject({ code: 3, stdout: "" });
    expect(ended.stderr).toMatch(told(lost));
  });

  test("says that a document of 2 MB is too large, and how large it may be", async () => {
    const ended = await run(["apply", "-f", "large.yaml"]);
    expect(ended).toMatchObject({ code: 3, stdout: "" });
    expect(ended.stderr).toContain("The request body is too large. The limit is 2097152 bytes.");
  });

  test("says that a token is wrong or missing, or may only read, and exits with 4 without printing it", async () => {
    const apply = ["apply", "-f", lost.file];
    const wrong = "not-the-token-0123456789";
    const [refused, without, reader] = await Promise.all([
      run(apply, { TULLE_TOKEN: wrong }),
      run(apply, { TULLE_TOKEN: "" }),
      run(apply, { TULLE_TOKEN: viewer }),
    ]);
    expect([refused.code, without.code, reader.code]).toEqual([4, 4, 4]);
    expect(refused.stderr).toContain("Control does not accept the token from TULLE_TOKEN");
    expect(refused.stderr).not.toContain(wrong);
    expect(without.stderr).toContain("wants an operator token, and none was given");
    expect(reader.stderr).toContain("The role editor is required, the token has viewer.");
    expect(reader.stderr).not.toContain(viewer);
  });

  test("says that control cannot be reached, or is broken, and exits with 5", async () => {
    const nobody = `http://127.0.0.1:${await freePort()}`;
    await mesh.break("control", { status: 503 });
    const [unreachable, broken] = await Promise.all([
      run(["status"], { TULLE_URL: nobody }),
      run(["status"]),
    ]);
    await mesh.mend("control");
    expect([unreachable.code, broken.code]).toEqual([5, 5]);
    expect(unreachable.stderr).toContain(`Cannot reach control at ${nobody}`);
    expect(broken.stderr).toContain("503");
  });

  test("says when a token has expired, and until when it was valid", async () => {
    await mesh.advance("2h");
    const ended = await run(["apply", "-f", lost.file]);
    expect(ended.code).toBe(4);
    expect(ended.stderr).toMatch(/The operator token has expired\. It was valid until \d{4}-\d\d-\d\dT/);
  });
});

interface Refused {
  readonly revision: number;
  readonly applied: boolean;
  readonly issues: readonly { readonly source: string }[];
}

async function apply(
  documents: readonly { readonly file: string; readonly text: string }[],
): Promise<{ readonly status: number; readonly body: Refused }> {
  const sources = documents.map(({ file: source, text }) => ({ source, text }));
  const response = await mesh.api("/api/policies", { method: "POST", body: JSON.stringify({ sources }) });
  return { status: response.status, body: (await response.json()) as Refused };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
