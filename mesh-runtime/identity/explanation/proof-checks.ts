import type { HeaderFields } from "../../foundation/fields.ts";
import { header } from "../../foundation/headers.ts";
import type { Refusal } from "../../foundation/refusal.ts";
import { no, ok, type Result } from "../../foundation/result.ts";
import type { Known } from "../identified.ts";
import {
  componentValue,
  isMethod,
  isSigned,
  missingFrom,
  outOfTime,
  oversize,
  proofParts,
} from "../proof.ts";
import { readGrant } from "../session-grant.ts";
import { macBytes } from "../session-profile.ts";
import { requestTarget, signatureBase } from "../signature-base.ts";
import { parseSignature, parseSignatureInput, type SignatureInput } from "../signature-input.ts";
import { workloadOf } from "../spiffe-id.ts";
import type { VerifiedWit } from "../svid.ts";
import type { SpiffeId } from "../words.ts";
import { type Captured, demandText, type Judge, lacksBody } from "./captured.ts";
import { type Findings, stated, timeText } from "./findings.ts";
import { tellToken } from "./token-checks.ts";

const standard = "WIMSE http-signature §3";

/** The checks of `verifyMessage`, and those that follow it in `identify`, in their order. Whose token it is, if it is one. */
export async function tellProof(
  findings: Findings,
  captured: Captured,
  judge: Judge,
  verdict: Result<Known, Refusal>,
): Promise<SpiffeId | undefined> {
  const { policy, bundle, now } = judge;
  const { length, present, inputHeader, signatureHeader } = proofParts(captured.headers);
  const wit = present.get(header.identityToken)?.trim();
  const isWhole = wit !== undefined && inputHeader !== undefined && signatureHeader !== undefined;
  const lacking = "token, Signature-Input and Signature are required together";
  const excess = oversize(length);
  const tooLong = excess === undefined ? undefined : (["malformed", excess] as const);
  findings.tell("headers of the proof", standard, sizes(captured), isWhole ? tooLong : ["missing", lacking]);

  const input = parseSignatureInput(inputHeader ?? "");
  const said = input.ok ? input.value : undefined;
  const names = said === undefined ? [] : namesIn(said);
  const unreadable = input.ok ? undefined : (["malformed", input.reason] as const);
  findings.tell("Signature-Input", "RFC 9421 §4.1; RFC 9651", names, unreadable);
  const bySession = said?.bySession === true;
  const size = bySession ? macBytes : 64;
  const signature = parseSignature(signatureHeader ?? "", said?.label ?? "", size);
  const unsigned = signature.ok ? undefined : (["malformed", signature.reason] as const);
  findings.tell("Signature", "RFC 9421 §4.2, §3.3.4", signature.ok ? [`${size} bytes`] : [], unsigned);
  const grant = present.get(header.session);
  const isPaired = said === undefined || bySession === (grant !== undefined);
  const unpaired = ["malformed", "the tag and the grant of a session are required together"] as const;
  if (!isPaired || bySession)
    findings.tell("tag and grant of a session", "", [], isPaired ? undefined : unpaired);
  const { method } = captured;
  const misnamed = isMethod(method) ? undefined : (["malformed", "the method is not upper case"] as const);
  findings.tell("method", "RFC 9421 §2.2.1", [stated(method)], misnamed);
  const gap = said && missingFrom(said, present);
  const needed = [`must cover @method, @request-target, ${[...present.keys()].join(", ")}`];
  findings.tell("what is covered", standard, needed, gap === undefined ? undefined : ["malformed", gap]);

  const caller = await tellToken(findings, wit ?? "", bundle, now);
  const base = signatureBase(said?.components ?? [], said?.parameters ?? "", (component) =>
    componentValue(component, captured, present, wit ?? ""),
  );
  const wrong = base.ok ? "the signature is not by the token's key over this request" : base.reason;
  const over = caller && [`key ${caller.thumbprint}`, `over ${stated(method)} ${targetText(captured.url)}`];
  if (grant !== undefined && bySession) {
    if (!base.ok) findings.tell("what is proved", "RFC 9421 §2.5", [], ["proof", wrong]);
    await tellGrant(findings, grant, caller, wit ?? "", judge);
  } else {
    const isTried = base.ok && signature.ok && caller !== undefined;
    const isBy = isTried && (await isSigned(caller.proofKey, signature.value, base.value));
    findings.tell("signature", "RFC 9421 §3.2, §3.3.4", over ?? [], isBy ? undefined : ["proof", wrong]);
  }

  const isStrict = policy.inbound.replay === "strict" || captured.headers.get(header.replay) === "strict";
  tellUse(findings, said, judge, isStrict);
  tellName(findings, caller);
  tellBody(findings, captured, verdict);
  findings.tell("evidence", "", ["signature", demandText(policy)], undefined);
  return caller?.id;
}

/** The grant of a session, as far as it can be judged without the service's key; and that the rest cannot be. */
async function tellGrant(
  findings: Findings,
  grant: string,
  caller: VerifiedWit | undefined,
  wit: string,
  { policy, bundle, now }: Judge,
): Promise<void> {
  const name = "grant of the session";
  const allowed = policy.inbound.sessionProofs === undefined && caller?.id.trustDomain === bundle.trustDomain;
  const read = caller && (await readGrant(grant, { audience: policy.self.uri, caller, wit, now }));
  const wrong = allowed ? read : no("sessions are not taken here");
  const times = read?.ok
    ? [timeText("begun", read.value.iat * 1_000, now), timeText("ends", read.value.exp * 1_000, now)]
    : [];
  findings.tell(name, "RFC 7515", times, wrong && !wrong.ok ? ["session", wrong.reason] : undefined);
  findings.unknown(
    "proof by the session's key",
    "RFC 9421 §3.3.3",
    "only the service and its caller have that key; a file cannot tell. A request that comes with it and is refused is signed and sent again",
  );
}

const namesIn = ({ label, components, signResponse }: SignatureInput): readonly string[] => [
  `label ${label}`,
  `covers ${components.join(", ")}`,
  ...(signResponse ? ["demands a signed answer"] : []),
];

const sizes = ({ headers, repeated }: Captured): readonly string[] =>
  [header.identityToken, header.signatureInput, header.signature].map(
    (name) => `${name}: ${sizeText(headers, name)}${repeated.includes(name) ? ", in several lines" : ""}`,
  );

const sizeText = (headers: HeaderFields, name: string): string =>
  headers.has(name) ? `${headers.get(name)?.length} characters` : "none";

/** A path, and of the query that there is one: applications put secrets there. */
function targetText(url: string): string {
  const [path = "", ...query] = requestTarget(url).split("?");
  return `${stated(path)}${query.length === 0 ? "" : ` with a query of ${query.join("?").length} characters`}`;
}

/** Whom the proof is for, when, and whether for the first time. */
function tellUse(
  findings: Findings,
  said: SignatureInput | undefined,
  { policy, now }: Judge,
  isStrict: boolean,
): void {
  const self = policy.self.uri;
  const isForUs = said?.audience === self;
  const whom = said && [`for ${stated(said.audience)}`, `judged as ${self}`];
  const elsewhere = isForUs ? undefined : (["audience", "the proof is for another workload"] as const);
  findings.tell("audience", `${standard}, wimse-aud`, whom ?? [], elsewhere);
  const times = said && [
    timeText("created", said.created * 1_000, now),
    timeText("expires", said.expires * 1_000, now),
  ];
  const untimely = said && outOfTime(said, now);
  findings.tell(
    "time",
    "RFC 9421 §2.3",
    times ?? [],
    untimely === undefined ? undefined : ["clock", untimely],
  );
  findings.unknown(
    "nonce used for the first time",
    standard,
    `${isStrict ? "the whole mesh" : "each isolate"} remembers the nonces that came; a file cannot tell`,
  );
}

function tellName(findings: Findings, caller: VerifiedWit | undefined): void {
  const isNamed = caller !== undefined && workloadOf(caller.id) !== undefined;
  const detail = "sub does not name a workload (/ns/<namespace>/sa/<service>)";
  const name = caller && [stated(caller.id.uri)];
  findings.tell("name of a workload", "", name ?? [], isNamed ? undefined : ["token", detail]);
}

/** What the body shows is taken from the verdict: all that a worker asks of it comes last. */
function tellBody(findings: Findings, captured: Captured, verdict: Result<Known, Refusal>): void {
  const { headers, body } = captured;
  const clause = `RFC 9530 §2; ${standard}`;
  const why = "there is a digest, and without the body nothing to compare it with";
  const seen = [
    headers.has(header.contentDigest) ? "Content-Digest is there" : "no Content-Digest",
    body === undefined ? "the body was not kept" : `a body of ${body.length} bytes`,
  ];
  if (lacksBody(captured)) findings.unknown("body", clause, why);
  else findings.tellRefusal("body", clause, seen, isOfBody(verdict) ? verdict : ok(undefined));
}

function isOfBody(verdict: Result<Known, Refusal>): boolean {
  if (verdict.ok) return false;
  const { reason } = verdict;
  return reason.kind === "unidentified" ? reason.step === "digest" : reason.kind === "body-too-large";
}
