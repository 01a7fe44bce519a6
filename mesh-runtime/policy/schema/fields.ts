import * as v from "valibot";
import { parseDuration } from "../../foundation/duration.ts";
import type { Path } from "../source.ts";

/*
 * The words in which the kinds are described. Each says in one phrase what it expects, which is what an
 * issue and the reference show; valibot does the walking. Everything is judged, nothing stops at the
 * first fault, and what a kind does not name is an issue.
 */

/** Describes a value that comes from outside and becomes an `Out`. */
export type Schema<Out> = v.GenericSchema<unknown, Out>;
export type Entries = v.ObjectEntries;

/** What a check across several members found; `path` from the value that is checked. */
export interface Fault {
  readonly path: Path;
  readonly expected: string;
  readonly found: string;
  /** What is wrong and what to do, without the path. */
  readonly message: string;
}

/**
 * A value that is right or wrong as a whole.
 * @param expects a phrase that completes "must be …"
 * @param advice what to do instead, if the phrase alone does not say it
 */
export function value<Out>(
  expects: string,
  holds: (input: unknown) => boolean,
  advice: (input: unknown) => string = () => "",
): Schema<Out> {
  const schema = v.custom<Out>(holds, (issue) => advice(issue.input));
  return { ...schema, expects } as unknown as Schema<Out>;
}

/** A text of a form. Patterns must not be able to backtrack; length is checked first. */
export const text = (expects: string, pattern: RegExp, max: number, advice?: (input: unknown) => string) =>
  value<string>(
    expects,
    (input) => typeof input === "string" && isWithin(input, max) && pattern.test(input),
    advice,
  );

/** Whether a text has at most so many characters, which Kubernetes counts as code points. */
export const isWithin = (input: string, max: number): boolean =>
  input.length <= max || (input.length <= 2 * max && [...input].length <= max);

export const flag = (): Schema<boolean> => value("true or false", (input) => typeof input === "boolean");

export const integer = (min: number, max: number): Schema<number> =>
  value(
    `a whole number from ${min} to ${max}`,
    (input) => Number.isSafeInteger(input) && Number(input) >= min && Number(input) <= max,
  );

/** A share, 0 to 1. */
export const ratio = (): Schema<number> =>
  value("a number from 0 to 1", (input) => typeof input === "number" && input >= 0 && input <= 1);

/** A Gateway API duration (GEP-2257), kept as written. */
export const duration = (): Schema<string> =>
  value(
    'a duration such as "250ms", "10s" or "1h30m"',
    (input) => typeof input === "string" && parseDuration(input).ok,
  );

/**
 * One of several words.
 * @param unsupported words that mean something elsewhere and are refused here, with the reason
 */
export function choice<const Word extends string | number>(
  words: readonly Word[],
  unsupported: Readonly<Record<string, string>> = {},
): Schema<Word> {
  const shown = words.map((word) => (word === "" ? '""' : word));
  const expects = words.length === 1 ? JSON.stringify(words[0]) : `one of ${shown.join(", ")}`;
  return value<Word>(
    expects,
    (input) => words.includes(input as Word),
    (input) => {
      const word = String(input);
      return Object.hasOwn(unsupported, word) ? `${word} is ${unsupported[word]}` : "";
    },
  );
}

/** What a member expects that may not stand here; such members are not offered to anybody. */
export const leftOut = "left out";

/** A member that means something elsewhere and is refused here, with the reason. */
export const unsupported = (reason: string): v.ExactOptionalSchema<Schema<never>, undefined> =>
  v.exactOptional(
    value<never>(
      leftOut,
      () => false,
      () => `it is ${reason}`,
    ),
    undefined,
  );

/** A list; `min` is 1 where an empty list could be read as "none" or as "any". */
export function list<Out>(item: Schema<Out>, min: number, max: number): Schema<readonly Out[]> {
  const expects = min === 0 ? `a list of at most ${max}` : `a list of ${min} to ${max}`;
  const items = { ...v.array(item), expects, message: () => "" };
  return v.pipe(
    items,
    v.rawCheck(({ dataset, addIssue }) => {
      const { value: given } = dataset as { value: unknown };
      if (!Array.isArray(given) || (given.length >= min && given.length <= max)) return;
      const empty = "an empty list could mean none or all; leave the member out, or name something";
      addIssue({ expected: expects, message: given.length === 0 ? empty : "" });
    }),
  ) as unknown as Schema<readonly Out[]>;
}

/** Marks the issue of a member that is not known; `translate` looks for it. */
export const unknownMember = "unknown_member";
/** Marks the issue of a member that is missing. */
export const missingMember = "object_with_rest";

const isObject = (input: unknown): boolean =>
  typeof input === "object" && input !== null && !Array.isArray(input);

/** An object with these members and no others; every one that is not known is an issue of its own. */
export function strict<const Members extends Entries>(
  members: Members,
): Schema<v.InferOutput<v.ObjectSchema<Members, undefined>>> {
  const names = Object.keys(members).filter((name) => members[name]?.expects !== leftOut);
  const rest = {
    ...v.custom<never>(() => false),
    type: unknownMember,
    requirement: names,
  } as unknown as Schema<never>;
  const object = { ...v.objectWithRest(members, rest), requirement: members };
  const known = value<object>(`an object with ${names.join(", ")}`, isObject);
  return v.pipe(known, object as unknown as v.GenericSchema<object, unknown>) as unknown as Schema<
    v.InferOutput<v.ObjectSchema<Members, undefined>>
  >;
}

/** Adds a check across members; it runs once every member by itself is right. */
export function checked<Out>(schema: Schema<Out>, check: (output: Out) => Iterable<Fault>): Schema<Out> {
  return v.pipe(
    schema,
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed || dataset.issues !== undefined) return;
      for (const { path, expected, found, message } of check(dataset.value)) {
        addIssue({ expected, received: found, message, label: "check", ...pathItems(path) });
      }
    }),
  ) as Schema<Out>;
}

/** valibot's form of a path; only the keys are read again. */
function pathItems(path: Path): { path?: [v.IssuePathItem, ...v.IssuePathItem[]] } {
  const [first, ...more] = path.map(
    (key): v.IssuePathItem => ({ type: "unknown", origin: "value", input: undefined, key, value: undefined }),
  );
  return first === undefined ? {} : { path: [first, ...more] };
}

/** A member that may be left out. */
export const optional = <Out>(schema: Schema<Out>): v.ExactOptionalSchema<Schema<Out>, undefined> =>
  v.exactOptional(schema, undefined);

/** A member that may be left out and then is `otherwise`, as a standard says. */
export const defaulted = <Out, const Otherwise>(schema: Schema<Out>, otherwise: Otherwise) =>
  v.optional(schema, otherwise as unknown as NonNullable<unknown>);

/** What the reference says about a member: one phrase, and the default if policy has one. */
export const about = <Member extends v.GenericSchema>(member: Member, description: string) =>
  v.pipe(member, v.description(description)) as unknown as Member;

/** The faults of items that share a key which should tell them apart. */
export function* repeated<Item>(
  items: readonly Item[] | undefined,
  key: (item: Item) => string | undefined,
  what: string,
  path: Path = [],
): Generator<Fault> {
  const seen = new Set<string>();
  for (const [index, item] of (items ?? []).entries()) {
    const name = key(item);
    if (name === undefined) continue;
    if (seen.has(name)) {
      yield {
        path: [...path, index],
        expected: `each ${what} once`,
        found: `${JSON.stringify(name)} again`,
        message: `the ${what} ${JSON.stringify(name)} stands here twice; keep one of the two`,
      };
    }
    seen.add(name);
  }
}
