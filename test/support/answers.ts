import { problemBase } from "../../mesh-runtime/foundation/problem.ts";

/** What came of a request in one word: the kind of the mesh's problem, or the status of an application's answer. */
export async function word(answer: Response | Promise<Response>): Promise<string> {
  const response = await answer;
  const text = await response.text();
  if (response.headers.get("content-type") !== "application/problem+json") return String(response.status);
  const { type } = JSON.parse(text) as { readonly type: string };
  return type.startsWith(problemBase) ? type.slice(problemBase.length) : String(response.status);
}

/** Looks again until what is seen fits, at most so often, and answers what was seen last: what follows in the background has no end to wait for. */
export async function until<Seen>(
  look: () => Promise<Seen>,
  fits: (seen: Seen) => boolean,
  most = 100,
): Promise<Seen> {
  let seen = await look();
  for (let round = 1; round < most && !fits(seen); round++) seen = await look();
  return seen;
}
