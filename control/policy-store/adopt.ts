import { no, ok, type Result } from "@tulle/mesh-runtime/foundation/result.ts";
import type { Ages } from "@tulle/mesh-runtime/policy/age.ts";
import type { Issue } from "../api/contract.ts";
import type { Given, Judgement } from "./judgement.ts";
import { type Found, issueAbout, maxDocumentLength } from "./reconcile.ts";
import { documentName, type Edit, edited, type Texts } from "./revision.ts";

/** What becomes of texts that were found in KV. */
export interface Adoption {
  readonly edits: readonly Edit[];
  /** By key: why a text is not taken over. */
  readonly refused: ReadonlyMap<string, readonly Issue[]>;
}

/**
 * Judges texts that were found in KV, each on its own and then all together with what is in force, so that a
 * Service and the route that needs it may arrive in one go. Those that errors name are left out, until the rest
 * is valid; an error that names none of them refuses them all.
 *
 * @param agesAfter how old every document would be: of two in conflict the newcomer is to blame
 */
export async function adopt(
  found: readonly Found[],
  texts: Texts,
  judgement: Judgement,
  agesAfter: (edits: readonly Edit[]) => Ages = () => new Map(),
): Promise<Adoption> {
  const before = () => ({ texts, ages: agesAfter([]) });
  const refused = new Map<string, readonly Issue[]>();
  let left: readonly (Found & Given)[] = [];
  for (const each of found) {
    const read = alone(each, judgement);
    if (read.ok) left = [...left, { ...each, ...read.value }];
    else refused.set(each.key, read.reason);
  }
  while (left.length > 0) {
    const { issues } = await judgement.judge(edited(texts, left), left, { ages: agesAfter(left), before });
    const errors = issues.filter(({ severity }) => severity === "error");
    if (errors.length === 0) break;
    const blamed = left.filter(({ ref }) => errors.some(({ document }) => document === documentName(ref)));
    const out = blamed.length > 0 ? blamed : left;
    for (const { key, ref } of out) {
      const own = errors.filter(({ document }) => document === documentName(ref));
      refused.set(key, own.length > 0 ? own : errors);
    }
    left = left.filter((each) => !out.includes(each));
  }
  return { edits: left, refused };
}

/** A key holds one document, and the one that it is named after. */
function alone({ key, ref, text }: Found, judgement: Judgement): Result<Given, readonly Issue[]> {
  const name = documentName(ref);
  if (text.length > maxDocumentLength) {
    return no([issueAbout(key, name, `at most ${maxDocumentLength} characters`, `${text.length}`)]);
  }
  const { edits, issues } = judgement.read([{ source: key, text }]);
  const errors = issues.filter(({ severity }) => severity === "error");
  if (errors.length > 0) return no(errors);
  const [only, ...more] = edits;
  if (only !== undefined && more.length === 0 && documentName(only.ref) === name)
    return ok({ ...only, text });
  const names = edits.map((edit) => documentName(edit.ref)).join(", ");
  return no([issueAbout(key, name, `the document ${name} alone`, names || "none")]);
}
