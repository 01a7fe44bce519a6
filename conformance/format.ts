import { readFileSync } from "node:fs";
import { parse } from "yaml";

/** A Kubernetes or Gateway API document as a file holds it. */
export interface Manifest {
  readonly apiVersion?: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly [member: string]: unknown;
}

/** Where a gateway-style request enters. */
export interface Via {
  /** `namespace/name`. */
  readonly gateway: string;
  readonly scheme?: string;
  readonly port?: number;
  readonly protocol?: string;
  readonly listeners?: readonly string[];
  /** What TLS would name; a worker never sees it. */
  readonly serverName?: string;
}

/** What a step sends. `{uuid}` in the path is a fresh value each time. */
export interface AskedRequest {
  readonly method?: string;
  /** Empty: the Gateway's own address. */
  readonly host?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly protocol?: string;
  readonly unfollowRedirect?: boolean;
  /** Headers that the backend is to answer with. */
  readonly backendSetResponseHeaders?: Readonly<Record<string, string>>;
}

/** What must arrive at the backend. */
export interface ExpectedAtBackend {
  /** Whether it is what the test says rather than the request as it was sent. */
  readonly explicit?: boolean;
  readonly host?: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly absentHeaders?: readonly string[];
}

/** A backend that must get a copy. */
export interface ExpectedMirror {
  readonly name: string;
  readonly namespace?: string;
  /** Share of requests that is copied, percent; absent: each. */
  readonly percent?: number;
}

/** What must come of a step. Only what `upstream.asserts` lists is compared, where a step has that list. */
export interface Expected {
  readonly status?: number | readonly number[];
  /** Beginning of the name of the pod that answers. */
  readonly backend?: string;
  readonly namespace?: string;
  readonly backendRequest?: ExpectedAtBackend;
  /** Of each header this value, or one of these. */
  readonly responseHeaders?: Readonly<Record<string, string | readonly string[]>>;
  /** Of each header one of these values. */
  readonly validResponseHeaders?: Readonly<Record<string, readonly string[]>>;
  readonly absentResponseHeaders?: readonly string[];
  readonly ignoreWhitespace?: boolean;
  readonly redirect?: {
    readonly scheme?: string;
    readonly host?: string;
    readonly port?: string | number;
    readonly path?: string;
  };
  readonly mirroredTo?: readonly ExpectedMirror[];
  /** Share of each backend, by its name, or of a status. */
  readonly weights?: Readonly<Record<string, number>>;
  /** How many requests show it. */
  readonly requests?: number;
  /** In words, for what no literal says. */
  readonly rule?: string;
  readonly [member: string]: unknown;
}

/** One thing that a test does or asserts. */
export interface Step {
  readonly kind: string;
  readonly path?: readonly string[];
  readonly id?: string;
  readonly name?: string;
  readonly call?: string;
  readonly note?: string;
  readonly parent?: {
    readonly gateway?: string;
    readonly service?: string;
    readonly listeners?: readonly string[];
  };
  readonly routes?: readonly string[];
  readonly via?: Via;
  readonly from?: { readonly app: string; readonly namespace?: string };
  readonly target?: {
    readonly service?: string;
    /** A Deployment whose pods are called directly, past its Services. */
    readonly pod?: string;
    readonly namespace?: string;
    readonly port?: number;
    readonly [member: string]: unknown;
  };
  readonly request?: AskedRequest;
  readonly expect?: Expected;
  readonly upstream?: {
    readonly asserts?: readonly string[];
    readonly inLiteralButNotCompared?: readonly string[];
  };
  /** Manifests that `apply` applies, and that control must refuse in `refused`. */
  readonly manifests?: readonly Manifest[];
  /** Documents that `delete` deletes, `Kind namespace/name`. */
  readonly documents?: readonly string[];
  readonly [member: string]: unknown;
}

export interface Case {
  readonly name: string;
  readonly description?: string;
  readonly style?: string;
  readonly level?: string;
  readonly features: readonly string[];
  /** Where the behaviour is specified. */
  readonly clause?: string;
  readonly manifests: readonly Manifest[];
  readonly steps: readonly Step[];
}

/** A file of cases. */
export interface Suite {
  readonly source: string;
  readonly base: readonly Manifest[];
  readonly cases: readonly Case[];
}

type Table = Readonly<Record<string, unknown>>;

/** A file that holds no cases, and why. */
export class UnreadableSuite extends Error {}

/**
 * Reads a file of cases, JSON or YAML.
 * @throws UnreadableSuite one sentence about what is wrong with the file
 */
export function readSuite(file: string): Suite {
  const read = parsed(file, textOf(file));
  if (!isTable(read))
    throw new UnreadableSuite(`${file}: expected an object with "tests", found ${sort(read)}`);
  if (!Array.isArray(read.tests))
    throw new UnreadableSuite(`${file}: expected "tests", a list of cases; found ${sort(read.tests)}`);
  const suite = {
    source: typeof read.source === "string" ? read.source : file,
    base: manifestsIn(read.baseManifests, `${file}: baseManifests`),
    cases: read.tests.map((test, index) => caseOf(test, `${file}: tests[${index}]`)),
  };
  if (suite.cases.length === 0) throw new UnreadableSuite(`${file}: "tests" has no case`);
  return suite;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UnreadableSuite(`${file} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}

function parsed(file: string, text: string): unknown {
  const isYaml = /\.ya?ml$/i.test(file);
  try {
    // Anchors that a suite repeats its manifests with are many by right.
    return isYaml ? parse(text, { maxAliasCount: -1, merge: true }) : JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw new UnreadableSuite(`${file} is not ${isYaml ? "YAML" : "JSON"}: ${why}`);
  }
}

function caseOf(test: unknown, where: string): Case {
  if (!isTable(test)) throw new UnreadableSuite(`${where}: expected an object, found ${sort(test)}`);
  const { name, features = [], steps, manifests } = test;
  if (typeof name !== "string" || name === "") throw new UnreadableSuite(`${where}.name: expected a text`);
  if (!Array.isArray(steps))
    throw new UnreadableSuite(`${where}.steps: expected a list, found ${sort(steps)}`);
  if (!isTexts(features)) throw new UnreadableSuite(`${where}.features: expected a list of texts`);
  for (const [index, step] of steps.entries())
    if (!isTable(step) || typeof step.kind !== "string")
      throw new UnreadableSuite(`${where}.steps[${index}].kind: expected a text`);
  return {
    ...test,
    name,
    features,
    steps: steps as readonly Step[],
    manifests: manifestsIn(manifests, `${where}.manifests`),
  };
}

/** Manifests in a list, or in lists under names. */
function manifestsIn(value: unknown, where: string): readonly Manifest[] {
  if (value === undefined || value === null) return [];
  if (isTable(value) && !("kind" in value))
    return Object.entries(value).flatMap(([name, some]) => manifestsIn(some, `${where}.${name}`));
  if (!Array.isArray(value)) throw new UnreadableSuite(`${where}: expected a list, found ${sort(value)}`);
  return value.map((item, index) => {
    const named = isTable(item) && isTable(item.metadata) && typeof item.metadata.name === "string";
    if (!isTable(item) || typeof item.kind !== "string" || !named)
      throw new UnreadableSuite(`${where}[${index}]: expected a document with kind and metadata.name`);
    return item as unknown as Manifest;
  });
}

const isTable = (value: unknown): value is Table =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((one) => typeof one === "string");

const sort = (value: unknown): string =>
  value === undefined ? "nothing" : value === null ? "null" : Array.isArray(value) ? "a list" : typeof value;
