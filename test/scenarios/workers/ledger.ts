import type { Entry } from "./ledger-words.ts";

let runs = 0;
const verified = { tokens: 0, proofs: 0 };
const { verify } = crypto.subtle;
crypto.subtle.verify = (algorithm, key, signature, bytes) => {
  const text = new TextDecoder().decode(bytes);
  // A request is signed over a base that begins with a quote (RFC 9421 §2.5), a token over base64url.
  if (text.startsWith('"')) verified.proofs += 1;
  else if (atob(text.split(".")[0] ?? "").includes('"wit+jwt"')) verified.tokens += 1;
  return verify.call(crypto.subtle, algorithm, key, signature, bytes);
};

/** Tells what reached it. */
export default {
  async fetch(request) {
    runs += 1;
    const { method, url } = request;
    const headers = Object.fromEntries(request.headers);
    const body = await request.text();
    return Response.json({ method, url, headers, body, runs, verified } satisfies Entry);
  },
} satisfies ExportedHandler;
