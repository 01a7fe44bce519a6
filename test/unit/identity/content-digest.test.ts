import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  contentDigest,
  mismatch,
  parseContentDigest,
} from "../../../mesh-runtime/identity/content-digest.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
/** RFC 9530 Appendix B, `{"hello": "world"}` with a line feed, and the same in sha-512. */
const body = bytes('{"hello": "world"}\n');
const sha256 = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
const sha512 =
  "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:";

describe("content digests", () => {
  test("are those of RFC 9530", async () => {
    expect(await contentDigest(body)).toBe(sha256);
    expect(await mismatch(sha256, body)).toBe(undefined);
    // RFC 9530 §2, and the body of the examples of RFC 9421: without the line feed.
    expect(await contentDigest(bytes('{"hello": "world"}'))).toBe(
      "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
    );
    expect(await contentDigest(new Uint8Array(0))).toBe(
      "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
    );
  });

  test("accept sha-512 beside sha-256, in any order, with blanks between", async () => {
    expect(await mismatch(`${sha512}, ${sha256}`, body)).toBe(undefined);
    expect(await mismatch(`  ${sha256} ,\t${sha512}`, body)).toBe(undefined);
  });

  test.each([
    ["nothing", ""],
    ["only sha-512", sha512],
    ["only deprecated algorithms", "md5=:Sd/dVLAcvNLSq16eXua5uQ==:, sha=:07CavjDP4u3/TungoUHJO/Wzr4c=:"],
    ["unixsum", "unixsum=:AAAA:"],
    ["sha-256 twice", `${sha256}, ${sha256}`],
    ["sha-512 twice beside sha-256", `${sha256}, ${sha512}, ${sha512}`],
    ["an algorithm in upper case", sha256.replace("sha", "SHA")],
    ["bad base64", "sha-256=:!!!!:"],
    ["base64url", sha256.replaceAll("/", "_")],
    ["no colons", sha256.replaceAll(":", "")],
    ["a string instead of bytes", 'sha-256="RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg="'],
    ["a parameter", `${sha256};a=1`],
    ["a trailing comma", `${sha256},`],
    ["a leading comma", `,${sha256}`],
    ["too much", `${sha256}, ${"a".repeat(500)}=:AAAA:`],
  ])("refuse %s", (_, text) => {
    expect(parseContentDigest(text).ok).toBe(false);
  });

  test.each([
    ["a changed body", sha256, '{"hello": "World"}\n'],
    ["a shorter body", sha256, '{"hello": "world"}'],
    ["a longer body", sha256, '{"hello": "world"}\n\n'],
    ["an empty body", sha256, ""],
    [
      "a wrong sha-256 beside a right sha-512",
      `${sha512}, sha-256=:${"A".repeat(43)}=:`,
      '{"hello": "world"}\n',
    ],
    ["a second spelling of the right digest", sha256.replace("g=:", "h=:"), '{"hello": "world"}\n'],
    ["the right digest without padding", sha256.replace("g=:", "g:"), '{"hello": "world"}\n'],
  ])("refuse %s", async (_, text, changed) => {
    expect(await mismatch(text, bytes(changed))).not.toBe(undefined);
  });

  test("of different bodies never agree", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 64 }), async (a, b) => {
        const same = a.length === b.length && a.every((byte, at) => byte === b[at]);
        expect((await mismatch(await contentDigest(a), b)) === undefined).toBe(same);
      }),
      { seed: 9_530, numRuns: 100 },
    );
  });
});
