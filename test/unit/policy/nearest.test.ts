import { expect, test } from "vitest";
import { didYouMean, nearest } from "../../../mesh-runtime/policy/nearest.ts";

const kinds = ["HTTPRoute", "Gateway", "Service", "TrafficPolicy"];

test.each([
  ["HTTPRout", "HTTPRoute"],
  ["Httproute", "HTTPRoute"],
  ["HTTPRuote", "HTTPRoute"],
  ["Servcie", "Service"],
  ["TraficPolcy", "TrafficPolicy"],
  ["gateway", "Gateway"],
])("%s was meant to be %s", (word, meant) => {
  expect(nearest(word, kinds)).toBe(meant);
});

test.each(["Pod", "x", "", "ConfigMap", "VirtualService"])("%j is near nothing", (word) => {
  expect(nearest(word, kinds)).toBeUndefined();
  expect(didYouMean(word, kinds)).toBe("");
});

test("the nearest of several is offered", () => {
  expect(didYouMean("weigth", ["width", "weight", "height"])).toBe('; did you mean "weight"?');
});
