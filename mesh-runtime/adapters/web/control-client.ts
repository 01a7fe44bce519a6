import {
  type AdmitAnswer,
  type AdmitRequest,
  type ControlPort,
  type Credential,
  contentDigest,
  type Declined,
  type JoinAnswer,
  type JoinRequest,
  type ReportAnswer,
  type ReportRequest,
  signMessage,
  workloadId,
} from "../../index.ts";

export interface HttpControlOptions {
  /** Base URL of control. */
  readonly url: string;
  /** What requests are signed with, once there is one. */
  readonly credential: () => Credential | undefined;
  readonly fetch: typeof fetch;
  readonly now: () => number;
  readonly nonce: () => string;
}

/**
 * Control's verbs over HTTP, for runtimes without service bindings. Signed as soon as there is a credential; but a join
 * for which the platform vouches goes unsigned, so that a credential that nobody believes any more is no obstacle.
 */
export function httpControl(options: HttpControlOptions): ControlPort {
  async function ask<Answer>(verb: string, request: object, isSigned = true): Promise<Answer | Declined> {
    const url = new URL(`/workload/${verb}`, options.url);
    const body = new TextEncoder().encode(JSON.stringify(request));
    const headers = new Headers({ "content-type": "application/json" });
    const credential = isSigned ? options.credential() : undefined;
    if (credential !== undefined) {
      headers.set("content-digest", await contentDigest(body));
      const signed = await signMessage(
        { method: "POST", url: url.href, headers },
        {
          audience: workloadId(credential.id.trustDomain, "tulle", "control").uri,
          credential,
          now: options.now(),
          nonce: options.nonce(),
        },
      );
      if (!signed.ok) throw new Error(signed.reason);
    }
    const response = await options.fetch(url, { method: "POST", headers, body, redirect: "manual" });
    if (response.ok) return (await response.json()) as Answer;
    const said = await declinedIn(response);
    if (said !== undefined) return said;
    throw new Error(`control answered ${response.status} to ${verb}`);
  }
  return {
    join: async (request: JoinRequest) => {
      const answer = await ask<JoinAnswer>("join", request, request.idToken === undefined);
      return answer.ok ? withoutKeys(answer) : answer;
    },
    report: (request: ReportRequest) => ask<ReportAnswer>("report", request),
    admit: (request: AdmitRequest) => ask<AdmitAnswer>("admit", request),
  };
}

/**
 * A join's answer without plain keys for sessions. They decide whom an isolate believes, and these are signed by nobody:
 * over a network only who stands in for control would send them, with keys that he made himself. Control seals and signs.
 */
function withoutKeys({ sessionKeys: _, ...answer }: JoinAnswer): JoinAnswer {
  return answer;
}

const reasons: Readonly<Record<Declined["reason"], true>> = {
  unregistered: true,
  "not-attested": true,
  "bad-possession": true,
  "bad-token": true,
  "unsupported-version": true,
  malformed: true,
  revoked: true,
  "not-ready": true,
};

/** What control has declined, which stands in its problem (RFC 9457); undefined for what somebody else says, such as a proxy on the way. */
async function declinedIn(response: Response): Promise<Declined | undefined> {
  if (!response.headers.get("content-type")?.startsWith("application/problem+json")) {
    await response.body?.cancel();
    return undefined;
  }
  const { ok, reason, detail, remedy } = ((await response.json()) ?? {}) as Partial<Record<string, unknown>>;
  if (ok !== false || typeof reason !== "string" || !Object.hasOwn(reasons, reason)) return undefined;
  return { ok, reason: reason as Declined["reason"], detail: String(detail), remedy: String(remedy) };
}
