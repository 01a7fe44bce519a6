import type { TestMesh } from "@tulle/mesh-runtime/testing";

/** One circuit as control tells it. */
export type CircuitSeen = Awaited<ReturnType<TestMesh["signals"]>>["circuits"][number];

/** What the authority says of a service's circuit. */
export async function circuitOf(mesh: TestMesh, service: string): Promise<CircuitSeen | undefined> {
  return (await mesh.signals()).circuits.find(({ circuit }) => circuit === `default/${service}`);
}

/** A TrafficPolicy for one service; `spec` is the YAML below `spec:`, one member a line. */
export const treated = (service: string, ...spec: readonly string[]): string => `
apiVersion: mesh.tulle.dev/v1
kind: TrafficPolicy
metadata: { name: ${service} }
spec:
  targetRefs: [{ kind: Service, name: ${service} }]
${spec.map((line) => `  ${line}\n`).join("")}`;
