import { Fields } from "../../mesh-runtime/foundation/fields.ts";
import { signMessage, type Verifier } from "../../mesh-runtime/identity/proof.ts";
import { now, nowS, outcome, self, type World } from "../unit/identity/fixture.ts";
import { listening, type Made, type Stated, urlOf, type Written } from "./other-hands.ts";

/* Our own side of what is held against others: requests as the wire has them, signed by us and judged by us. */

let nonces = 0;

/** The parameters of our profile, with a nonce of its own each time. */
export const stated = (): Stated => ({
  created: nowS,
  expires: nowS + 30,
  nonce: `other-${nonces++}`,
  tag: "wimse-workload-to-workload",
  "wimse-aud": self,
});

export const withToken = (request: Written, { credential }: World): Written => ({
  ...request,
  lines: [...request.lines, ["workload-identity-token", credential.wit]],
});

export const withProof = (request: Written, { input, signature }: Made): Written => ({
  ...request,
  lines: [...request.lines, ["signature-input", input], ["signature", signature]],
});

/** What the profile wants covered of a request, and whatever else it has. */
export const allOf = ({ lines }: Written): readonly string[] => [
  "@method",
  "@request-target",
  ...new Set(lines.map(([name]) => name)),
];

/** Signed by us: the request as it goes out, and what was signed. */
export async function signedByUs(
  { credential }: World,
  request: Written,
): Promise<{ signed: Written; base: string | undefined }> {
  const headers = new Fields();
  for (const [name, value] of request.lines) headers.append(name, value);
  const proof = { audience: self, credential, now, nonce: String(stated().nonce) };
  const { value, base } = await listening(() =>
    signMessage({ method: request.method, url: urlOf(request), headers }, proof),
  );
  if (!value.ok) throw new Error(value.reason);
  const added = ["workload-identity-token", "signature-input", "signature"].map((name): [string, string] => [
    name,
    headers.get(name) ?? "",
  ]);
  return { signed: { ...request, lines: [...request.lines, ...added] }, base };
}

/** Judged by us, from the headers that the platform makes of those lines: "accepted", or the step that refused. */
export async function judgedByUs(
  request: Written,
  by: Verifier,
): Promise<{ verdict: string; base: string | undefined }> {
  // No Request is made with a method that the platform does not know.
  const { url, headers } = arriving({ ...request, method: "POST" });
  const message = { method: request.method, url, headers: new Fields(headers) };
  const { value, base } = await listening(() => outcome(message, by));
  return { verdict: value, base };
}

/** The request as the platform has it. */
export function arriving({ method, lines, ...request }: Written): Request {
  const headers = new Headers();
  for (const [name, value] of lines) headers.append(name, value);
  return new Request(urlOf(request), { method, headers });
}

/** Something to be charged. */
export const one: Written = {
  method: "POST",
  target: "/charge?amount=3&note=",
  lines: [
    ["content-type", "application/json"],
    ["tulle-hops", "1"],
    ["authorization", "Bearer a.b.c"],
  ],
};
