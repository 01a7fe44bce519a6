import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { readDocuments } from "../mesh-runtime/policy/schema.ts";
import { readWranglerConfig } from "../mesh-runtime/testing/wrangler-config.ts";
import { importsOf } from "./support/imports.ts";

const shop = new URL("../examples/shop/", import.meta.url);
const workers = readdirSync(new URL("workers/", shop), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => ({ name, file: fileURLToPath(new URL(`workers/${name}/wrangler.toml`, shop)) }))
  .filter(({ name }) => name !== "shipping")
  .concat({ name: "gateway", file: fileURLToPath(new URL("../../wrangler.toml", shop)) })
  .map(({ name, file }) => ({ name, config: readWranglerConfig(file) }));

const textsIn = (folder: string) =>
  readdirSync(new URL(`${folder}/`, shop)).map((source) => ({
    source,
    text: readFileSync(new URL(`${folder}/${source}`, shop), "utf8"),
  }));

const policies = readDocuments(textsIn("policies"));
const services = policies.written.flatMap(({ document }) => (document.kind === "Service" ? [document] : []));

describe.each(workers)("the shop's worker $name", ({ name, config }) => {
  const { MESH, PAYMENTS_V2_SWITCH: past, ...reach } = config.services;

  test("is bound to control under the name of its Service document", () => {
    expect(config.name).toBe(name);
    expect(services.map(({ metadata }) => metadata.name)).toContain(name);
    expect(MESH).toEqual({
      name: "tulle-control",
      entrypoint: "Workload",
      props: { service: name, namespace: "default" },
    });
  });

  test("goes past the mesh to nothing but the switch of the demo", () => {
    const isSwitched = name === "storefront";
    expect(past).toEqual(isSwitched ? { name: "payments-v2", entrypoint: "Switch" } : undefined);
    expect(Object.values(reach).filter(({ entrypoint }) => entrypoint !== undefined)).toEqual([]);
  });

  test("names itself on every binding, and each binding is the endpoint of the service behind it", () => {
    for (const [binding, service] of Object.entries(reach)) {
      expect(service.props, binding).toEqual({ service: name, namespace: "default" });
      const callee = services.find(({ metadata }) => metadata.name === service.name);
      expect(callee?.spec.endpoint?.binding, service.name).toBe(binding);
    }
  });
});

test("every document of the shop is right", () => {
  expect(policies.issues).toEqual([]);
});

test.each(textsIn("policies-variants"))(
  "the variant $source changes the payments route and nothing else",
  (variant) => {
    const { written, issues } = readDocuments([variant]);
    if (variant.source === "broken.yaml") {
      expect(written).toEqual([]);
      expect(issues).toEqual([
        expect.objectContaining({ path: "spec.rules[0].backendRefs[1].weight", line: 12 }),
      ]);
      return;
    }
    expect(issues).toEqual([]);
    expect(written.map(({ document }) => `${document.kind}/${document.metadata.name}`)).toEqual([
      "HTTPRoute/payments",
    ]);
  },
);

test("the catalog's own code imports nothing at all", () => {
  const code = readFileSync(new URL("workers/catalog/index.ts", shop), "utf8");
  expect(importsOf(code, "index.ts")).toEqual([]);
});
