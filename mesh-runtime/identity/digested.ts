import type { Message } from "../foundation/exchange.ts";
import type { HeaderFields } from "../foundation/fields.ts";
import { header } from "../foundation/headers.ts";
import type { Refusal } from "../foundation/refusal.ts";
import { no, ok, type Result } from "../foundation/result.ts";
import { readUpTo, resumed } from "./body.ts";
import { contentDigest, digestOfNothing } from "./content-digest.ts";

/** Which bodies are digested: those up to `maxDigestBytes`. Larger ones are refused, or go without. */
export interface DigestLimits {
  readonly largeBody: "reject" | "unsigned";
  readonly maxDigestBytes: number;
}

/** What a problem of the mesh takes, with room to spare, bytes. */
const roomForProblem = 4_096;

/** The limits of answers: where larger ones are refused, the problem that says so still has room. */
export const limitsOfAnswer = (limits: DigestLimits): DigestLimits =>
  limits.largeBody === "reject" && limits.maxDigestBytes < roomForProblem
    ? { largeBody: "reject", maxDigestBytes: roomForProblem }
    : limits;

/** What a digest is made for: a request that leaves, or an answer. */
export type Digestible = Pick<Message, "headers" | "body">;

/**
 * The message with `Content-Digest` for its body, which may have had to be read for that; without one where a large one
 * may go unsigned. Where that is so, no body has a digest too: somebody on the way could add one otherwise.
 */
export async function withDigest<Known extends Digestible>(
  message: Known,
  limits: DigestLimits,
): Promise<Result<Known, Refusal>> {
  const { headers, body } = message;
  const { maxDigestBytes: limitBytes, largeBody } = limits;
  // An earlier attempt's, or the application's own, of which we do not know whether it is true.
  headers.delete(header.contentDigest);
  if (body === null) {
    if (largeBody === "unsigned") headers.set(header.contentDigest, digestOfNothing);
    return ok(message);
  }

  let bytes: Uint8Array | undefined;
  let rest = body;
  // Where a stream is refused, whether its source takes note that we stop reading changes nothing.
  if (body instanceof Uint8Array) {
    if (body.byteLength <= limitBytes) bytes = body;
  } else if (isLarge(headers, limits)) {
    if (largeBody === "reject") body.cancel().catch(() => undefined);
  } else {
    let head: Awaited<ReturnType<typeof readUpTo>>;
    try {
      head = await readUpTo(body, limitBytes);
    } catch {
      // The body's own source failed, and no destination is to blame: whoever sends it has broken it off.
      return no({ kind: "cancelled" });
    }
    if (head.whole) bytes = head.bytes;
    else if (largeBody === "unsigned") rest = resumed(head.read, head.rest);
    else head.rest.cancel().catch(() => undefined);
  }
  if (bytes !== undefined) {
    headers.set(header.contentDigest, await contentDigest(bytes));
    return ok(bytes === body ? message : { ...message, body: bytes });
  }
  if (largeBody === "reject") return no({ kind: "body-too-large", limitBytes });
  return ok(rest === body ? message : { ...message, body: rest });
}

/**
 * Whether a stream need not be read to know that it gets no digest: it says itself that it is too long, or nothing
 * is short enough. It then goes on as it is, and keeps a length that the runtime knows of.
 */
const isLarge = (headers: HeaderFields, { maxDigestBytes, largeBody }: DigestLimits): boolean =>
  Number(headers.get("content-length") ?? 0) > maxDigestBytes ||
  (maxDigestBytes === 0 && largeBody === "unsigned");
