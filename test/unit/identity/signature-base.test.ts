import { describe, expect, test } from "vitest";
import { fieldValue, requestTarget, signatureBase } from "../../../mesh-runtime/identity/signature-base.ts";
import { parseSignatureInput } from "../../../mesh-runtime/identity/signature-input.ts";
import rfc9421 from "../../vectors/rfc9421.json" with { type: "json" };
import { value } from "./fixture.ts";

type Case = (typeof rfc9421.cases)[number];
interface Example {
  readonly method?: string | null;
  readonly status?: number | null;
  readonly requestTarget?: string | null;
  readonly headers: readonly (readonly string[])[];
}

const messages: Readonly<Record<string, Example>> = rfc9421.messages;
const messageOf = ({ message }: Case): Example =>
  (typeof message === "string" ? messages[message] : message) ?? { headers: [] };
const bare = rfc9421.cases.filter(
  ({ signatureInput }) => !/" *;/.test(signatureInput.slice(0, signatureInput.indexOf(")"))),
);
const withParameters = rfc9421.cases.filter((each) => !bare.includes(each));

/** What the mesh's own profile does not use, as the RFC defines it (§2.2), so that its examples can be built. */
function derived(
  component: string,
  { method, status, requestTarget: target }: Example,
  headers: Headers,
): string | undefined {
  const url = new URL(target ?? "/", `https://${headers.get("host")}`);
  const values: Readonly<Record<string, string>> = {
    "@method": String(method),
    "@status": String(status),
    "@authority": url.host,
    "@path": url.pathname,
    "@query": url.search,
  };
  return values[component];
}

/** The base of one of the RFC's examples, by our builder, from the message and not from the printed base. */
function baseOf(example: Case): string {
  const message = messageOf(example);
  const headers = new Headers(
    message.headers.map(([name = "", text = ""]): [string, string] => [name, text]),
  );
  const inner = example.signatureInput.slice(example.signatureInput.indexOf("=") + 1);
  const components = [...inner.slice(0, inner.indexOf(")")).matchAll(/"([^"]+)"/g)].map(
    ([, name = ""]) => name,
  );
  return value(
    signatureBase(components, inner, (component) =>
      component.startsWith("@")
        ? derived(component, message, headers)
        : fieldValue(headers.get(component) ?? ""),
    ),
  );
}

async function verifies(example: Case): Promise<boolean> {
  const isEd25519 = example.alg === "ed25519";
  const jwk = isEd25519 ? rfc9421.keys["test-key-ed25519"] : rfc9421.keys["test-key-ecc-p256"];
  const algorithm = isEd25519 ? { name: "Ed25519" } : { name: "ECDSA", namedCurve: "P-256" };
  const key = await crypto.subtle.importKey("jwk", jwk, algorithm, false, ["verify"]);
  const signature = atob(example.signature.slice(example.signature.indexOf(":") + 1, -1));
  return crypto.subtle.verify(
    isEd25519 ? "Ed25519" : { name: "ECDSA", hash: "SHA-256" },
    key,
    Uint8Array.from(signature, (char) => char.charCodeAt(0)),
    new TextEncoder().encode(baseOf(example)),
  );
}

describe("39: signatureBase() and the examples of RFC 9421", () => {
  test("twelve of fifteen have bare components, which is all that we build", () => {
    expect(bare.map(({ id }) => id)).toHaveLength(12);
    expect(withParameters.map(({ id }) => id)).toEqual(["B.2.2", "2.4.1", "2.4.2"]);
  });

  test.each(
    bare.filter(({ expectValid }) => expectValid).map((each) => [each.id, each.title, each] as const),
  )("%s builds: %s", (_, __, example) => {
    expect(baseOf(example)).toBe(example.signatureBase);
  });

  const checkable = bare.filter(({ alg }) => alg === "ed25519" || alg === "ecdsa-p256-sha256");
  test.each(checkable.map((each) => [each.id, each.expectValid, each] as const))(
    "%s verifies: %s",
    async (_, expected, example) => {
      expect(await verifies(example)).toBe(expected);
    },
  );

  test.each(rfc9421.cases.map((each) => [each.id, each] as const))(
    "%s is not ours: its tag is another",
    (_, example) => {
      expect(parseSignatureInput(example.signatureInput)).toEqual({
        ok: false,
        reason: "no signature has our tag",
      });
    },
  );
});

describe("signatureBase()", () => {
  test("refuses a covered component that the message does not have", () => {
    expect(signatureBase(["content-type"], "()", () => undefined).ok).toBe(false);
  });
});

describe("requestTarget()", () => {
  test.each([
    ["https://payments/", "/"],
    ["https://payments", "/"],
    ["https://payments/a/b?c=d", "/a/b?c=d"],
    ["https://payments/a?", "/a?"],
    ["https://payments/a??", "/a??"],
    ["https://payments/a#b", "/a"],
    ["https://payments/a?b#c/d?e", "/a?b"],
    ["https://payments:8443//a//", "//a//"],
    ["https://payments/%2e%2E%2f;x=1?%00+%20", "/%2e%2E%2f;x=1?%00+%20"],
    ["https://payments/?next=https://other/#x", "/?next=https://other/"],
  ])("of %s is %s", (url, target) => {
    expect(requestTarget(url)).toBe(target);
  });

  test("keeps a lone question mark that URL.search loses", () => {
    const { href, pathname, search } = new URL("https://payments/a?");
    expect(pathname + search).toBe("/a");
    expect(requestTarget(href)).toBe("/a?");
  });
});

describe("fieldValue()", () => {
  test("takes surrounding blanks away and leaves inner ones", () => {
    expect(fieldValue(" \t a  b\t ")).toBe("a  b");
    expect(fieldValue("  ")).toBe("");
    expect(fieldValue("")).toBe("");
  });

  test("takes printable ASCII and nothing else", () => {
    for (let code = 0; code < 0x180; code++) {
      const isPrintable = code >= 0x20 && code <= 0x7e;
      expect([code, fieldValue(`a${String.fromCharCode(code)}b`) !== undefined]).toEqual([code, isPrintable]);
    }
    for (const text of ["a\u212Ab", "a\u2028b", "a\r\n b"]) expect(fieldValue(text)).toBe(undefined);
  });
});
