/** Lets everybody who has an identity call these services. */
export const open = (...services: readonly string[]): string => `
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: open-${services[0]} }
spec:
  targetRefs: [${services.map((name) => `{ kind: Service, name: ${name} }`).join(", ")}]
  rules: [{}]
`;

/** Services that run nowhere and only route to others. */
export const virtual = (...services: readonly string[]): string =>
  services
    .map(
      (name) => `
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: ${name} }
spec: { virtual: true }
`,
    )
    .join("---");

/** Divides what is sent to a service by weights. */
export const split = (service: string, weights: Readonly<Record<string, number>>): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${service} }
spec:
  parentRefs: [{ group: "", kind: Service, name: ${service} }]
  rules:
    - backendRefs:
${Object.entries(weights)
  .map(([name, weight]) => `        - { name: ${name}, port: 80, weight: ${weight} }\n`)
  .join("")}`;

/** A gateway that takes every host, with one route that sends everything to a service. */
export const entrance = (service: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public }
spec: { gatewayClassName: tulle, listeners: [{ name: http, protocol: HTTP, port: 80 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: public }
spec: { parentRefs: [{ name: public }], rules: [{ backendRefs: [{ name: ${service}, port: 80 }] }] }
`;
