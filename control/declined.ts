import type { Declined } from "@tulle/mesh-runtime/workload-contract.ts";

/** Makes the answer to a workload that is not served: what is wrong, and what its operator does about it. */
const declined = (reason: Declined["reason"], detail: string, remedy: string): Declined => ({
  ok: false,
  reason,
  detail,
  remedy,
});

/** The binding that carried the call does not say which service the caller is. */
export const withoutProps = (): Declined =>
  declined(
    "not-attested",
    "The service binding to control has no props, so nothing says which service this worker is.",
    `Write in this worker's wrangler.toml, with its own name and namespace:\n\n${bindingLines("…", "default")}`,
  );

/** The caller says that it is another service than its evidence shows. */
export function otherWorkload(shown: string, stated: string): Declined {
  const [namespace = "", service = ""] = stated.split("/");
  return declined(
    "not-attested",
    `This worker is ${shown}, and asked to be ${stated}.`,
    `If it is ${stated}, write so in its wrangler.toml:\n\n${bindingLines(service, namespace)}`,
  );
}

/** A join over HTTP without a token and without a signature. */
export const withoutEvidence = (workload: string): Declined =>
  declined(
    "not-attested",
    "A join over HTTP needs a one-time join token, the word of Deno Deploy, or the signature of a credential that is still valid.",
    `Make a token with: tulle identity token --service ${workload}`,
  );

/** Two kinds of evidence: nobody shall be able to try the one under cover of the other. */
export const twoTokens = (): Declined =>
  declined(
    "not-attested",
    "A join brings a join token or a token of the platform, not both.",
    "Take TULLE_JOIN_TOKEN away where the platform vouches for the process.",
  );

/**
 * The word of a platform that is not believed, or is about nobody that is registered. Which of these is not told: the
 * answer must be no oracle for somebody who tries tokens. Where the platform did say it, control's log has it.
 */
export const unattested = (workload: string): Declined =>
  declined(
    "not-attested",
    `What Deno Deploy says of this process does not make it ${workload}.`,
    `Register the app: tulle identity create --service ${workload} --attestor deno-deploy --selector org_id:… --selector app_id:… (in production, unless a selector names another context). The log of the control worker says what a token said that was believed.`,
  );

/** Evidence that is good, of somebody who may not be this. */
export const notEntitled = (workload: string, attestor: string): Declined =>
  declined(
    "unregistered",
    `No registration entry lets this ${evidenceNames[attestor] ?? "evidence"} become ${workload}, which has entries.`,
    `See who may: tulle identity show ${workload}. Let it: tulle identity create --service ${workload} --attestor ${attestor}`,
  );

const evidenceNames: Readonly<Record<string, string>> = {
  binding: "service binding",
  "join-token": "join token, or what was begun with one,",
  "deno-deploy": "app of Deno Deploy",
};

/** A token that a platform vouched for, and that is to be renewed without it. */
export const notRenewable = (workload: string): Declined =>
  declined(
    "not-attested",
    "A signature renews what began with a join token; a service binding, or a platform, shows anew each time who this is.",
    `Join as before. Outside of Cloudflare, begin with a token: tulle identity token --service ${workload}`,
  );

/** Evidence over HTTP that could not be verified. Which check failed is not told: the answer must be no oracle. */
export const unverified = (): Declined =>
  declined(
    "not-attested",
    "The signature of this request could not be verified.",
    "Join again with a one-time join token (tulle identity token --service <name>); compare this machine's clock.",
  );

/** An operator has revoked who asks. */
export const revoked = (what: string): Declined =>
  declined(
    "revoked",
    `Nothing is issued to this worker: ${what} is revoked.`,
    "When it can be trusted again, lift the revocation: tulle identity unrevoke. What is revoked: tulle identity revoked",
  );

/** No document registers the service. */
export function unregistered(workload: string): Declined {
  const [namespace = "", name = ""] = workload.split("/");
  return declined(
    "unregistered",
    `No Service ${workload} is registered in this mesh.`,
    `Register it:\n\n${[
      "tulle apply -f - <<EOF",
      "apiVersion: mesh.tulle.dev/v1",
      "kind: Service",
      "metadata:",
      `  name: ${name}`,
      `  namespace: ${namespace}`,
      "spec:",
      "  endpoint:",
      `    binding: ${name.toUpperCase().replaceAll("-", "_")}`,
      "EOF",
    ].join("\n")}`,
  );
}

/** The document that registers the service is refused by this version, and what identity it has cannot be read. */
export const withoutName = (workload: string): Declined =>
  declined(
    "not-ready",
    `Which identity ${workload} has cannot be read: this version of Tulle refuses its document.`,
    `Mend the document and apply it: tulle check says what is wrong with Service/${workload}.`,
  );

/** The proof that the caller holds the private key. */
export const badPossession = (detail: string): Declined =>
  declined(
    "bad-possession",
    `${detail.charAt(0).toUpperCase()}${detail.slice(1)}.`,
    "Compare the clock of the machine; otherwise update the mesh runtime of this worker.",
  );

/** The join token is unknown, used, expired, or for another service. Which of them is not told. */
export const badToken = (workload: string): Declined =>
  declined(
    "bad-token",
    `The join token is not valid for ${workload}: a token works once, for one service, for at most ten minutes.`,
    `Make a new one with: tulle identity token --service ${workload}`,
  );

export const unsupportedVersion = (asked: number, known: number): Declined =>
  declined(
    "unsupported-version",
    `The worker speaks version ${asked} of the contract with control, control knows ${known}.`,
    "Deploy the control worker of the same or a later version of Tulle first.",
  );

export const misshapen = (detail: string): Declined =>
  declined("malformed", `In the request, ${detail}.`, "Update the mesh runtime of this worker, or control.");

/** Control itself cannot serve yet. */
export const notReady = (detail: string, remedy: string): Declined => declined("not-ready", detail, remedy);

const bindingLines = (service: string, namespace: string): string =>
  [
    "[[services]]",
    'binding = "MESH"',
    'service = "tulle-control"',
    'entrypoint = "Workload"',
    `props = { service = "${service}", namespace = "${namespace}" }`,
  ].join("\n");
