import { describe, expect, test } from "vitest";
import {
  cors,
  forBackend,
  issuesOf,
  many,
  mirror,
  modifier,
  redirect,
  rewrite,
  withFilters,
} from "./filter-texts.ts";

describe("a filter that says something right is let through", () => {
  test.each([
    ["a mirror of all", mirror("backendRef: {name: b, port: 80}")],
    ["a mirror of none", mirror("backendRef: {name: b, port: 80}, percent: 0")],
    ["a mirror of a percentage", mirror("backendRef: {name: b, port: 80, namespace: other}, percent: 100")],
    [
      "a mirror of a fraction",
      mirror("backendRef: {name: b, port: 80}, fraction: {numerator: 1, denominator: 1000}"),
    ],
    [
      "a mirror of a fraction of a hundred",
      mirror("backendRef: {name: b, port: 80}, fraction: {numerator: 0}"),
    ],
    ["CORS that says nothing", cors("")],
    [
      "CORS that says all",
      cors(
        'allowOrigins: ["https://www.foo.com", "https://*.bar.com:8443", "http://*", "http://localhost:3000"], allowCredentials: true, allowMethods: [GET, OPTIONS], allowHeaders: [X-A, traceparent], exposeHeaders: ["*", X-B], maxAge: 3600',
      ),
    ],
    ["CORS for everybody", cors('allowOrigins: ["*"], allowMethods: ["*"], allowHeaders: ["*"]')],
    ["a redirect with every member", redirect("scheme: https, hostname: a.b, port: 8443, statusCode: 308")],
    ["a rewrite of the host", rewrite("hostname: a.b")],
    ["a response's host, which is nothing but a header", modifier("remove: [host]", "Response")],
    ["a header whose name objects have", modifier("remove: [constructor]")],
  ])("%s", (_name, filter) => {
    expect(issuesOf(withFilters(filter))).toEqual([]);
    expect(issuesOf(forBackend(filter))).toEqual([]);
  });

  test("mirrors repeat, beside one of every other type", () => {
    const mirrors = many(3, (index) => mirror(`backendRef: {name: b${index}, port: 80}`));
    const others = [modifier("remove: [a]"), modifier("remove: [a]", "Response"), rewrite(), cors("")];
    expect(issuesOf(withFilters(mirrors, ...others))).toEqual([]);
    expect(issuesOf(forBackend(mirrors, ...others))).toEqual([]);
  });

  test.each([301, 302, 303, 307, 308])("a redirect with %i", (statusCode) => {
    expect(issuesOf(withFilters(redirect(`statusCode: ${statusCode}`)))).toEqual([]);
  });
});

describe("a filter that says something wrong is refused where it stands", () => {
  test.each([
    // RequestMirror
    ["requestMirror.backendRef is missing", mirror("")],
    ["requestMirror.backendRef.name is missing", mirror("backendRef: {}")],
    [
      "requestMirror.backendRef.name must be a name of at most 253",
      mirror("backendRef: {name: B, port: 80}"),
    ],
    [
      "requestMirror.backendRef.port must be a port from 1 to 65535",
      mirror("backendRef: {name: b, port: 0}"),
    ],
    ["requestMirror.backendRef.weight is not a member", mirror("backendRef: {name: b, port: 80, weight: 1}")],
    [
      "requestMirror.percent must be a whole number from 0 to 100, found 101",
      mirror("backendRef: {name: b, port: 80}, percent: 101"),
    ],
    [
      "requestMirror.percent must be a whole number from 0 to 100, found -1",
      mirror("backendRef: {name: b, port: 80}, percent: -1"),
    ],
    [
      "requestMirror.percent must be a whole number from 0 to 100, found 0.5",
      mirror("backendRef: {name: b, port: 80}, percent: 0.5"),
    ],
    ["requestMirror.fraction.numerator is missing", mirror("backendRef: {name: b, port: 80}, fraction: {}")],
    [
      "requestMirror.fraction.numerator must be a whole number",
      mirror("backendRef: {name: b, port: 80}, fraction: {numerator: -1}"),
    ],
    [
      "requestMirror.fraction.denominator must be a whole number from 1",
      mirror("backendRef: {name: b, port: 80}, fraction: {numerator: 0, denominator: 0}"),
    ],
    [
      "requestMirror.fraction.numerator: no more than all requests can be mirrored",
      mirror("backendRef: {name: b, port: 80}, fraction: {numerator: 3, denominator: 2}"),
    ],
    [
      "requestMirror.fraction.numerator: no more than all requests can be mirrored; write at most the denominator, 100",
      mirror("backendRef: {name: b, port: 80}, fraction: {numerator: 101}"),
    ],
    [
      "requestMirror.fraction: percent and fraction say the same thing",
      mirror("backendRef: {name: b, port: 80}, percent: 1, fraction: {numerator: 1}"),
    ],
    ["requestMirror: the type RequestMirror needs this member", "{type: RequestMirror}"],
    // What a message is made of
    [
      "requestHeaderModifier.set[0]: the host of a request is changed by URLRewrite; use its hostname",
      modifier("set: [{name: Host, value: a.b}]"),
    ],
    [
      "requestHeaderModifier.remove[1]: the host of a request is changed by URLRewrite",
      modifier("remove: [a, host]"),
    ],
    [
      "requestHeaderModifier.add[0]: the runtime says how a body travels",
      modifier("add: [{name: transfer-encoding, value: chunked}]"),
    ],
    [
      "requestHeaderModifier.set[0]: the runtime says how long a body is",
      modifier('set: [{name: content-length, value: "5"}]'),
    ],
    [
      "responseHeaderModifier.remove[0]: the runtime says how long a body is",
      modifier("remove: [Content-Length]", "Response"),
    ],
    // CORS
    ['cors.allowOrigins[0] must be "*", or an origin', cors("allowOrigins: [www.foo.com]")],
    ['cors.allowOrigins[0] must be "*", or an origin', cors('allowOrigins: ["ftp://www.foo.com"]')],
    ['cors.allowOrigins[0] must be "*", or an origin', cors('allowOrigins: ["https://www.foo.com/"]')],
    ['cors.allowOrigins[0] must be "*", or an origin', cors('allowOrigins: ["https://www.*.com"]')],
    ['cors.allowOrigins[0] must be "*", or an origin', cors('allowOrigins: ["https://*foo.com"]')],
    ['cors.allowOrigins[0] must be "*", or an origin', cors('allowOrigins: ["https://foo.com:65536"]')],
    ['cors.allowOrigins[0] must be "*", or an origin', cors('allowOrigins: ["https://foo.com:0"]')],
    ['cors.allowOrigins[0] must be "*", or an origin', cors("allowOrigins: ['null']")],
    ['cors.allowOrigins[0] must be "*", or an origin', cors(`allowOrigins: ["https://${"a".repeat(250)}"]`)],
    ['cors.allowOrigins[1]: "*" means every origin', cors('allowOrigins: ["https://a.b", "*"]')],
    [
      'cors.allowOrigins[1]: the origin "https://a.b" stands here twice',
      cors('allowOrigins: ["https://a.b", "https://a.b"]'),
    ],
    [
      "cors.allowOrigins must be a list of at most 64, found a list of 65",
      cors(`allowOrigins: [${many(65, (index) => `"https://a${index}.b"`)}]`),
    ],
    ['cors.allowCredentials must be true or false, found "true"', cors('allowCredentials: "true"')],
    ["cors.allowMethods[0] must be one of GET, HEAD", cors("allowMethods: [get]")],
    ["cors.allowMethods[0] must be one of GET, HEAD", cors("allowMethods: [PURGE]")],
    ['cors.allowMethods[0]: "*" means every method', cors('allowMethods: ["*", GET]')],
    ['cors.allowMethods[1]: the method "GET" stands here twice', cors("allowMethods: [GET, GET]")],
    ['cors.allowHeaders[0] must be a header name, or "*"', cors('allowHeaders: ["x y"]')],
    ['cors.allowHeaders[0]: "*" means every header', cors('allowHeaders: ["*", x-a]')],
    ['cors.allowHeaders[1]: the header "x-a" stands here twice', cors("allowHeaders: [x-a, x-a]")],
    ['cors.exposeHeaders[1]: the header "x-a" stands here twice', cors("exposeHeaders: [x-a, x-a]")],
    [
      "cors.exposeHeaders must be a list of at most 64, found a list of 65",
      cors(`exposeHeaders: [${many(65, (index) => `x-${index}`)}]`),
    ],
    ["cors.maxAge must be a whole number from 1 to 2147483647, found 0", cors("maxAge: 0")],
    ['cors.maxAge must be a whole number from 1 to 2147483647, found "5s"', cors('maxAge: "5s"')],
    ["cors.allowOrigin is not a member", cors("allowOrigin: []")],
    ["cors: the type CORS needs this member", "{type: CORS}"],
    // header modifiers
    ["requestHeaderModifier.set[0].value is missing", modifier("set: [{name: a}]")],
    ["requestHeaderModifier.set[0].name must be a header name", modifier('set: [{name: "a b", value: c}]')],
    [
      'requestHeaderModifier.set[1]: the header "a" stands here twice',
      modifier("set: [{name: a, value: b}, {name: A, value: c}]"),
    ],
    [
      'requestHeaderModifier.add[0]: the header "a" stands here twice',
      modifier("set: [{name: a, value: b}], add: [{name: a, value: c}]"),
    ],
    [
      'responseHeaderModifier.remove[0]: the header "a" stands here twice',
      modifier("add: [{name: a, value: b}], remove: [A]", "Response"),
    ],
    [
      "requestHeaderModifier.remove must be a list of at most 16, found a list of 17",
      modifier(`remove: [${many(17, (index) => `x-${index}`)}]`),
    ],
    // redirects and rewrites
    [
      "requestRedirect.statusCode must be one of 301, 302, 303, 307, 308, found 304",
      redirect("statusCode: 304"),
    ],
    ["requestRedirect.scheme must be one of http, https", redirect("scheme: ftp")],
    ["requestRedirect.port must be a port from 1 to 65535, found 65536", redirect("port: 65536")],
    [
      'requestRedirect.hostname must be a host name such as shop.example.com, found ""',
      redirect('hostname: ""'),
    ],
    ["requestRedirect.hostname must be a host name such as shop.example.com", redirect('hostname: "a.b:80"')],
    [
      "requestRedirect.path.replaceFullPath: the type ReplaceFullPath needs this member",
      redirect("path: {type: ReplaceFullPath}"),
    ],
    [
      "urlRewrite.path.replacePrefixMatch: the type ReplacePrefixMatch needs this member",
      rewrite("path: {type: ReplacePrefixMatch}"),
    ],
    [
      "urlRewrite.path.type must be one of ReplaceFullPath, ReplacePrefixMatch",
      rewrite("path: {type: Exact}"),
    ],
    [
      "urlRewrite.path.replaceFullPath must be a path of at most 1024 characters",
      rewrite('path: {type: ReplaceFullPath, replaceFullPath: "/a?b"}'),
    ],
    // what the mesh does not have
    [
      "type: ExternalAuth is not supported yet; use an AuthorizationPolicy, or remove the filter",
      "{type: ExternalAuth, externalAuth: {protocol: HTTP}}",
    ],
    [
      "type: ExtensionRef is not supported: the mesh has no extensions; remove the filter",
      "{type: ExtensionRef, extensionRef: {group: a, kind: B, name: c}}",
    ],
    ["type must be one of RequestHeaderModifier", "{type: Lua}"],
    [
      "cors: this member does not belong to the type URLRewrite",
      "{type: URLRewrite, urlRewrite: {}, cors: {}}",
    ],
    [
      "requestMirror: this member does not belong to the type CORS",
      "{type: CORS, cors: {}, requestMirror: {backendRef: {name: b, port: 80}}}",
    ],
  ])("%s: %s", (expected, filter) => {
    for (const [rule, where] of [
      [withFilters(filter), "filters[0]."],
      [forBackend(filter), "backendRefs[0].filters[0]."],
    ] as const) {
      const issues = issuesOf(rule);
      expect(issues, issues.join("\n")).toHaveLength(1);
      expect(issues[0]).toContain(where);
      expect(issues[0]?.replace(where, "")).toContain(expected);
    }
  });

  test.each([
    ["CORS", cors("")],
    ["RequestHeaderModifier", modifier("remove: [a]")],
    ["ResponseHeaderModifier", modifier("remove: [a]", "Response")],
    ["RequestRedirect", redirect()],
    ["URLRewrite", rewrite()],
  ])("%s twice", (type, filter) => {
    const again = `filters[2]: the type of filter "${type}" stands here twice; keep one of the two.`;
    expect(issuesOf(withFilters(filter, mirror("backendRef: {name: b, port: 80}"), filter))).toEqual([again]);
    expect(issuesOf(forBackend(filter, mirror("backendRef: {name: b, port: 80}"), filter))).toEqual([
      `backendRefs[0].${again}`,
    ]);
  });

  test("a redirect beside a rewrite, for a rule and for a backend", () => {
    const both = "filters[1]: a request that is redirected reaches no backend, so a rewrite has no effect";
    expect(issuesOf(withFilters(redirect(), rewrite()))[0]).toContain(both);
    expect(issuesOf(forBackend(redirect(), rewrite()))[0]).toContain(both);
  });

  test("a redirect of the rule beside backends; one of a backend is another matter", () => {
    const rule = `{filters: [${redirect()}], backendRefs: [{name: b, port: 80}]}`;
    expect(issuesOf(rule)[0]).toContain("backendRefs: a request that is redirected reaches no backend");
    expect(issuesOf(forBackend(redirect()))).toEqual([]);
  });

  test.each([redirect, rewrite])("a replaced prefix without exactly one prefix", (filter) => {
    const replacing = filter("path: {type: ReplacePrefixMatch, replacePrefixMatch: /x}");
    for (const matches of [
      "[{path: {value: /a}}, {path: {value: /b}}]",
      "[{path: {type: Exact, value: /a}}]",
    ]) {
      const message = "ReplacePrefixMatch needs exactly one PathPrefix match in its rule";
      expect(issuesOf(`{matches: ${matches}, filters: [${replacing}]}`)[0]).toContain(
        `filters[0]: ${message}`,
      );
      expect(
        issuesOf(`{matches: ${matches}, backendRefs: [{name: b, port: 80, filters: [${replacing}]}]}`)[0],
      ).toContain(`backendRefs[0].filters[0]: ${message}`);
    }
    expect(issuesOf(`{filters: [${replacing}]}`)).toEqual([]);
  });
});
