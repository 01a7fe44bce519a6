import { bindingOf, inTrustDomain, spiffeIdOf } from "../compile-endpoints.ts";
import { type DocumentOf, keyOf, nameOf } from "../documents.ts";
import type { Issue } from "../issue.ts";
import { controlBinding } from "../schema/endpoints.ts";
import { type Path, shown } from "../source.ts";
import { type CheckedMesh, collisions } from "./checked-mesh.ts";

type Service = DocumentOf<"Service">;

/** Every document stands once: with two of one name, which holds would be chance. */
export function* duplicateNames({ written, issue, place }: CheckedMesh): Generator<Issue> {
  yield* collisions(
    written,
    ({ document }) => nameOf(document),
    ({ document }, { document: earlier }, name) =>
      issue(document, {
        path: ["metadata", "name"],
        expected: "each kind, namespace and name once",
        found: `${name} again`,
        message: `${name} stands at ${place(earlier, ["metadata", "name"])} already; rename or remove one of the two.`,
      }),
  );
}

/** One MeshConfig, and one trust domain: the one that the issuer signs for. */
export function* meshConfigs({ written, options, issue, place }: CheckedMesh): Generator<Issue> {
  const configs = written.flatMap(({ document }) => (document.kind === "MeshConfig" ? [document] : []));
  const [first, ...more] = configs;
  for (const config of more) {
    if (first === undefined || nameOf(config) === nameOf(first)) continue;
    yield issue(config, {
      path: ["metadata", "name"],
      expected: "one MeshConfig in a mesh",
      found: `${configs.length}`,
      message: `A mesh has one MeshConfig, and ${nameOf(first)} stands at ${place(first, ["kind"])}; merge the two.`,
    });
  }
  const { meshTrustDomain } = options;
  for (const config of configs) {
    const { trustDomain } = config.spec;
    if (trustDomain === undefined || meshTrustDomain === undefined || trustDomain === meshTrustDomain)
      continue;
    yield issue(config, {
      path: ["spec", "trustDomain"],
      expected: meshTrustDomain,
      found: shown(trustDomain),
      message: `The control plane issues identities for ${meshTrustDomain}; write that here, or configure the control plane anew.`,
    });
  }
}

/**
 * Every identity is one that the mesh can give, and nobody shares one: who has it is that Service. Nobody has the
 * control plane's: what callers sign for such a Service it could pass on to control in their name.
 */
export function* identities({ catalog, issue, place }: CheckedMesh): Generator<Issue> {
  const services = [...catalog.services.values()];
  const controls = `spiffe://${catalog.trustDomain}/ns/tulle/sa/control`;
  for (const service of services) {
    if (spiffeIdOf(catalog, service) !== controls) continue;
    yield issue(service, {
      path: service.spec.identity === undefined ? ["metadata", "name"] : ["spec", "identity"],
      expected: "an identity that is not the control plane's",
      found: shown(controls),
      message: "This is the identity of the control plane; choose another.",
    });
  }
  for (const service of services) {
    const { identity, trustDomain = catalog.trustDomain } = service.spec;
    if (service.spec.trustDomain === catalog.trustDomain) {
      yield issue(service, {
        path: ["spec", "trustDomain"],
        expected: "the trust domain of another mesh",
        found: shown(trustDomain),
        message: `${trustDomain} is this mesh's own trust domain; leave trustDomain out.`,
      });
    }
    if (identity === undefined || inTrustDomain(identity, trustDomain)) continue;
    yield issue(service, {
      path: ["spec", "identity"],
      expected: `a SPIFFE ID in the trust domain ${trustDomain}`,
      found: shown(identity),
      message:
        service.spec.trustDomain === undefined
          ? `This mesh gives identities of ${trustDomain} alone; write one of those, or leave identity out. If it belongs to another mesh, write its trustDomain too.`
          : `The identity is not of the trust domain ${trustDomain}, which is written beside it; correct one of the two.`,
    });
  }
  yield* collisions(
    services,
    (service) => spiffeIdOf(catalog, service),
    (service, earlier, identity) =>
      issue(service, {
        path: ["spec", "identity"],
        expected: "an identity of its own",
        found: shown(identity),
        message: `${nameOf(earlier)} at ${place(earlier, ["metadata", "name"])} has this identity, so each could act as the other; change one.`,
      }),
  );
}

/** A binding's name means one Service, and never the control plane. */
export function* bindings({ catalog, issue, place }: CheckedMesh): Generator<Issue> {
  const services = [...catalog.services.values()];
  for (const service of services) {
    if (bindingOf(service) !== controlBinding) continue;
    yield issue(service, {
      path: placeOfBinding(service),
      expected: "a binding of another name",
      found: controlBinding,
      message: `${controlBinding} is the binding to the control plane; write spec.binding with another name.`,
    });
  }
  yield* collisions(services, bindingOf, (service, earlier, binding) =>
    issue(service, {
      path: placeOfBinding(service),
      expected: "a binding that means one Service",
      found: shown(binding),
      message: `The binding ${binding} means ${keyOf(earlier)} already (${place(earlier, placeOfBinding(earlier))}); write spec.binding with another name.`,
    }),
  );
}

function placeOfBinding({ spec }: Service): Path {
  if (spec.binding !== undefined) return ["spec", "binding"];
  const first = spec.endpoints?.findIndex(({ binding }) => binding !== undefined) ?? -1;
  if (first >= 0) return ["spec", "endpoints", first, "binding"];
  return spec.endpoint?.binding === undefined ? ["metadata", "name"] : ["spec", "endpoint", "binding"];
}
