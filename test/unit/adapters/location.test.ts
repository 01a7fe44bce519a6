import { expect, test } from "vitest";
import { Location } from "../../../mesh-runtime/adapters/cloudflare/location.ts";

const from = (colo?: string): Request => {
  const request = new Request("http://shop/");
  Object.defineProperty(request, "cf", { value: colo === undefined ? undefined : { colo } });
  return request;
};

test("a location is what the first request says that says any, and then no more is asked", () => {
  const place = new Location({});
  expect(place.here()).toBeUndefined();
  place.ask(from());
  expect(place.here()).toBeUndefined();
  place.ask(from("FRA"));
  place.ask(from("IAD"));
  expect(place.here()).toEqual({ zone: "FRA" });
});

test("variables say the region, and the zone before any request does", () => {
  const place = new Location({ TULLE_REGION: "eu", TULLE_ZONE: "eu-1" });
  place.ask(from("FRA"));
  expect(place.here()).toEqual({ region: "eu", zone: "eu-1" });
  const region = new Location({ TULLE_REGION: "eu" });
  region.ask(from("FRA"));
  expect(region.here()).toEqual({ region: "eu", zone: "FRA" });
});

test("requests that do not say it are not asked for ever", () => {
  const place = new Location({});
  for (let count = 0; count < 8; count++) place.ask(from());
  place.ask(from("FRA"));
  expect(place.here()).toBeUndefined();
});
