import { targetKeys } from "../catalog.ts";
import type { Issue } from "../issue.ts";
import { hasOnePlace } from "../schema/service.ts";
import { missing } from "../unresolved.ts";
import type { CheckedMesh } from "./checked-mesh.ts";

/** An endpoint that is the worker of another Service leads to one that exists and is in one place: there are no chains. */
export function* endpoints({ catalog, issue }: CheckedMesh): Generator<Issue> {
  for (const [key, service] of catalog.services) {
    for (const [index, { service: name }] of (service.spec.endpoints ?? []).entries()) {
      if (name === undefined) continue;
      const path = ["spec", "endpoints", index, "service"];
      const to = `${service.metadata.namespace}/${name}`;
      const other = catalog.services.get(to);
      if (to === key) {
        yield issue(service, {
          path,
          expected: "another Service",
          found: to,
          message: `${to} cannot be an endpoint of itself; write its binding or url.`,
        });
      } else if (other === undefined) {
        yield issue(service, {
          path,
          expected: "a Service that exists in this namespace",
          found: to,
          message: missing(`The Service ${to}`, to, catalog.services.keys()),
        });
      } else if (!hasOnePlace(other)) {
        const virtual = other.spec.virtual === true;
        const far = other.spec.trustDomain;
        yield issue(service, {
          path,
          expected: "a Service with a worker in one place",
          found: `${to}, which ${far !== undefined ? `is of ${far}` : virtual ? "is virtual" : "has endpoints"}`,
          message:
            far !== undefined
              ? `${to} belongs to another mesh; route to it as a backend of its own.`
              : virtual
                ? `${to} only routes to others; name the Services that it routes to.`
                : `${to} has endpoints itself, and they are not followed further; list them here.`,
        });
      }
    }
  }
}

/** Balancing is among several: what is said of it for a Service in one place has no effect. */
export function* balancing({ catalog, issue }: CheckedMesh): Generator<Issue> {
  for (const policy of catalog.trafficPolicies) {
    if (policy.spec.loadBalancing === undefined) continue;
    for (const [index, key] of targetKeys(policy).entries()) {
      const service = catalog.services.get(key);
      if (service === undefined || (service.spec.endpoints ?? []).length > 1) continue;
      yield issue(policy, {
        severity: "warning",
        path: ["spec", "targetRefs", index, "name"],
        expected: "a Service with several endpoints",
        found: key,
        message: `${key} has no endpoints to balance among, so loadBalancing changes nothing there; write its endpoints, or remove it.`,
      });
    }
  }
}
