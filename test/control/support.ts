import { runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { generateKeys, provePossession, type WorkloadKeys } from "@tulle/mesh-runtime/identity/credential.ts";
import type {
  Declined,
  JoinAnswer,
  JoinRequest,
  ReportRequest,
} from "@tulle/mesh-runtime/workload-contract.ts";
import type { ChangeAnswer } from "../../control/api/contract.ts";
import { issuer, policyStore } from "../../control/objects.ts";

export const operator = "operator-token-of-the-tests-0123456789";

/** Asks the admin API as the operator. */
export async function api<Answer>(
  method: string,
  path: string,
  body?: unknown,
  token: string | undefined = operator,
): Promise<{ status: number; body: Answer; headers: Headers }> {
  const response = await exports.default.fetch(`https://control.test${path}`, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      "content-type": "application/json",
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json");
  return {
    status: response.status,
    body: (isJson ? JSON.parse(text) : text) as Answer,
    headers: response.headers,
  };
}

/** A Service's document. */
export const service = (name: string, spec = "  evidence: binding\n"): string =>
  `apiVersion: mesh.tulle.dev/v1\nkind: Service\nmetadata:\n  name: ${name}\nspec:\n${spec}`;

/** A document that lets one workload call a Service. */
export const permission = (callee: string, caller: string): string => `apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata:
  name: ${callee}
spec:
  targetRefs:
    - kind: Service
      name: ${callee}
  action: ALLOW
  rules:
    - from:
        - source:
            principals: ["mesh.local/ns/default/sa/${caller}"]
`;

/** A route from a Service to others. */
export const route = (
  name: string,
  parent: string,
  backend: string,
): string => `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: ${name}
spec:
  parentRefs:
    - group: mesh.tulle.dev
      kind: Service
      name: ${parent}
  rules:
    - backendRefs:
        - group: mesh.tulle.dev
          kind: Service
          name: ${backend}
`;

/** Applies documents. */
export const apply = (...texts: string[]) =>
  api<ChangeAnswer>("POST", "/api/policies", {
    sources: texts.map((text, index) => ({ source: `${index}.yaml`, text })),
  });

/** The entrypoint as a worker reaches it whose binding has these props. */
export const workload = (props: { service?: string; namespace?: string }) => exports.Workload({ props });

/** A join request with a new key. */
export async function joinRequest(
  change: Partial<JoinRequest> & { keys?: WorkloadKeys; now?: number; trustDomain?: string } = {},
): Promise<JoinRequest> {
  const { keys = await generateKeys(), now = Date.now(), trustDomain, ...rest } = change;
  const name = rest.workload ?? "";
  const possession = await provePossession({
    ...keys,
    workload: name,
    trustDomain,
    now,
    jti: crypto.randomUUID(),
    ...(rest.joinToken === undefined ? {} : { joinToken: rest.joinToken }),
    ...(rest.sealingKey === undefined ? {} : { sealingKey: rest.sealingKey }),
  });
  return { version: 1, isolate: "isolate-1", publicJwk: keys.publicJwk, possession, workload: name, ...rest };
}

/** A report that says nothing but what runs. */
export const reportRequest = (name: string, change: Partial<ReportRequest> = {}): ReportRequest => ({
  version: 1,
  isolate: "isolate-1",
  workload: name,
  id: crypto.randomUUID(),
  epoch: 0,
  digest: "",
  bundleSequence: 0,
  circuits: [],
  edges: [],
  spans: [],
  counters: {},
  ...change,
});

export function joined(answer: JoinAnswer | Declined): JoinAnswer {
  if (!answer.ok) throw new Error(`declined: ${answer.reason}: ${answer.detail}`);
  return answer;
}

/** The objects as control asks them. */
export const store = () => policyStore(env);
export const issuing = () => issuer(env);

/** The same for who looks into their storage, or ends them. */
export const storeObject = () => env.POLICY.getByName("mesh");
export const issuerObject = () => env.ISSUER.getByName(env.TRUST_DOMAIN);

/**
 * Has control find no head signed, however often it signs: as while policy changes faster than it is signed.
 * @returns what ends it
 */
export async function headsStayUnsigned(): Promise<() => Promise<void>> {
  const exec = (...queries: string[]) =>
    runInDurableObject(storeObject(), (_, { storage }) => {
      for (const query of queries) storage.sql.exec(query);
    });
  await exec(
    "CREATE TRIGGER unsigned BEFORE UPDATE OF signed ON heads WHEN NEW.signed IS NOT NULL BEGIN SELECT RAISE(IGNORE); END",
    "UPDATE heads SET signed = NULL",
  );
  return () => exec("DROP TRIGGER unsigned");
}
