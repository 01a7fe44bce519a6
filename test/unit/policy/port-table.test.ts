import { describe, expect, test } from "vitest";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import { destinationTable } from "../../../mesh-runtime/policy/port-table.ts";
import { documents, route, service } from "./writing.ts";

/** Finds the rule for a URL at the Service web, with these routes attached. */
function finder(...routes: readonly string[]) {
  const snapshot = compile(documents(service("web"), ...routes)).get("default/web");
  const destination = snapshot?.destinations["default/web"];
  const table = destination && destinationTable(destination);
  return (
    table && ((url: string) => table.find({ url: new URL(url), method: "GET", headers: new Headers() })?.rule)
  );
}

const to = (path: string) => `[{matches: [{path: {value: ${path}}}], backendRefs: [{name: web, port: 80}]}]`;

describe("the table of a destination", () => {
  test("is none without routes", () => {
    expect(finder()).toBeUndefined();
  });

  test("of routes without port does not look at it", () => {
    const find = finder(route("r", "name: web", to("/a")));
    for (const url of ["http://web/a", "http://web:8080/a", "https://web/a"]) {
      expect(find?.(url)?.name).toBe("HTTPRoute/default/r/0");
    }
    expect(find?.("http://web:8080/b")).toBeUndefined();
  });

  test("of a route for one port leaves every other port to the Service itself", () => {
    const find = finder(route("r", "name: web, port: 80", to("/a")));
    expect(find?.("http://web/a")?.name).toBe("HTTPRoute/default/r/0");
    expect(find?.("http://web:80/b")).toBeUndefined();
    expect(find?.("http://web:8080/a")).toMatchObject({
      name: "default",
      backends: [{ service: "default/web" }],
    });
    expect(find?.("https://web/a")?.name).toBe("default");
  });

  test("of routes for one port and for all takes both on that port", () => {
    const find = finder(route("p", "name: web, port: 8080", to("/a")), route("q", "name: web", to("/")));
    expect(find?.("http://web:8080/a")?.name).toBe("HTTPRoute/default/p/0");
    expect(find?.("http://web:8080/b")?.name).toBe("HTTPRoute/default/q/0");
    expect(find?.("http://web/a")?.name).toBe("HTTPRoute/default/q/0");
  });
});
