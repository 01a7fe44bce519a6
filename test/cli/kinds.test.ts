import { expect, test } from "vitest";
import { parseKind, parsePlace, parseRef } from "../../cli/kinds.ts";

test("what another version of Tulle wrote can be named, and so looked at and deleted", () => {
  expect(parseRef("Quarantine", "q", undefined)).toEqual({
    kind: "Quarantine",
    namespace: "default",
    name: "q",
  });
  expect(parseRef("svc", "Shop_1/UPPER", undefined)).toEqual({
    kind: "Service",
    namespace: "Shop_1",
    name: "UPPER",
  });
  expect(parseRef("httproutes", "payments", "shop")).toEqual({
    kind: "HTTPRoute",
    namespace: "shop",
    name: "payments",
  });
});

test("a slip of the pen is none of that: an unknown kind is written as it stands, and nothing leads out of a path", () => {
  for (const kind of ["quarantine", "pods", "../x", "Quaran/tine", ""])
    expect(() => parseRef(kind, "q", undefined)).toThrow(/^There is no kind/);
  for (const name of ["..", ".", "../x", "a/b/c", "", "a b", "-x"])
    expect(() => parseRef("Service", name, undefined)).toThrow(/is not a name/);
  expect(() => parseRef("Service", "../x", undefined)).toThrow();
  expect(() => parseRef("Service", "a/b", "c")).toThrow(/different namespaces/);
  // What names a service, and no document, is as strict as ever.
  expect(() => parsePlace("UPPER", undefined)).toThrow(/is not a name/);
  expect(() => parseKind("Quarantine")).toThrow(/^There is no kind/);
});
