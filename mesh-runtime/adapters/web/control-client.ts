import {
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

/** Control's two verbs over HTTP, for runtimes without service bindings. Signed as soon as there is a credential. */
export function httpControl(options: HttpControlOptions): ControlPort {
  async function ask<Answer>(verb: string, request: object): Promise<Answer> {
    const url = new URL(`/workload/${verb}`, options.url);
    const body = new TextEncoder().encode(JSON.stringify(request));
    const headers = new Headers({ "content-type": "application/json" });
    const credential = options.credential();
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
    const response = await options.fetch(url, { method: "POST", headers, body, redirect: "error" });
    if (response.ok) return (await response.json()) as Answer;
    throw new Error(`control answered ${response.status} to ${verb}`);
  }
  return {
    join: (request: JoinRequest) => ask<JoinAnswer | Declined>("join", request),
    report: (request: ReportRequest) => ask<ReportAnswer | Declined>("report", request),
  };
}
