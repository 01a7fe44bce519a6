import { inShort, read } from "./writing.ts";

/** A right document of each kind; cases change one line of one. */
export const right = {
  route: `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: payments
spec:
  parentRefs:
    - group: ""
      kind: Service
      name: payments
  rules:
    - name: canary
      matches:
        - path: { type: PathPrefix, value: /charge }
          method: POST
          headers: [{ name: X-Canary, value: "1" }]
          queryParams: [{ name: v, value: "2" }]
      filters:
        - type: RequestHeaderModifier
          requestHeaderModifier: { set: [{ name: X-A, value: a }] }
      backendRefs:
        - name: payments-v1
          weight: 90
          port: 80
        - name: payments-v2
          weight: 10
          port: 80
      timeouts: { request: 2s, backendRequest: 1s }
      retry: { codes: [503], attempts: 2, backoff: 50ms }
`,
  gateway: `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public, annotations: { mesh.tulle.dev/worker: edge } }
spec:
  gatewayClassName: tulle
  listeners:
    - name: http
      port: 80
      protocol: HTTP
      hostname: "*.example.com"
      allowedRoutes: { namespaces: { from: All } }
`,
  grant: `apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: { name: shop }
spec:
  from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop }]
  to: [{ group: "", kind: Service }]
`,
  service: `apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: payments }
spec:
  mode: STRICT
  evidence: signature
  identity: spiffe://mesh.local/ns/default/sa/payments
  endpoint: { url: "https://payments.example.com" }
  binding: PAYMENTS
  ports: [{ name: http, port: 80 }]
  timeout: 10s
  maxInFlight: 100
  maxDigestBytes: 65536
  largeBody: unsigned
`,
  traffic: `apiVersion: mesh.tulle.dev/v1
kind: TrafficPolicy
metadata: { name: payments }
spec:
  targetRefs: [{ kind: Service, name: payments }]
  timeout: 3s
  retry: { attempts: 2, codes: [503], budgetRatio: 0.1, nonIdempotent: false }
  circuit: { consecutiveFailures: 3, window: 5s }
  maxInFlight: 10
`,
  access: `apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: payments }
spec:
  targetRefs: [{ kind: Service, name: payments }]
  action: ALLOW
  rules:
    - from:
        - source: { principals: [mesh.local/ns/default/sa/web] }
      to:
        - operation: { methods: [POST], paths: [/charge*] }
`,
  telemetry: `apiVersion: mesh.tulle.dev/v1
kind: Telemetry
metadata: { name: shop }
spec:
  sampleRatio: 0.5
  accessLog: true
  otlpEndpoint: https://otlp.example.com
`,
  config: `apiVersion: mesh.tulle.dev/v1
kind: MeshConfig
metadata: { name: mesh }
spec:
  trustDomain: shop.example
  defaults: { mode: PERMISSIVE, evidence: binding, sampleRatio: 1 }
`,
} as const;

export type Name = keyof typeof right;

/** The issues of a document with one part of its text replaced. */
export function broken(name: Name, part: string, replacement: string): readonly string[] {
  const text = right[name];
  if (!text.includes(part)) throw new Error(`the ${name} has no ${part}`);
  return read(text.replace(part, replacement)).issues.map(inShort);
}
