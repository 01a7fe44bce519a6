import type * as v from "valibot";
import type { Entries } from "./fields.ts";

const partsOf = (schema: object): readonly object[] => {
  const pipe: unknown = Reflect.get(schema, "pipe");
  const wrapped: unknown = Reflect.get(schema, "wrapped");
  // A pipe repeats its first part, and the others add to it.
  const parts = Array.isArray(pipe) ? pipe.filter((part) => part !== schema) : [];
  return typeof wrapped === "object" && wrapped !== null ? [...parts, wrapped] : parts;
};

/** Something that a schema holds, itself or in what it is made of. */
function held(schema: object, name: string): unknown {
  const own: unknown = Reflect.get(schema, name);
  if (own !== undefined) return own;
  for (const part of partsOf(schema)) {
    const found = held(part, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The members of an object, as its schema describes them; nothing for other schemas. */
export const entriesOf = (schema: object): Entries | undefined =>
  held(schema, "entries") as Entries | undefined;

/** What describes each item of a list; nothing for other schemas. */
export const itemOf = (schema: object): v.GenericSchema | undefined =>
  held(schema, "item") as v.GenericSchema | undefined;

/** Whether a member of an object may be left out. */
const mayBeAbsent = ({ type }: v.GenericSchema): boolean => type === "exact_optional" || type === "optional";

const emptyMark = "emptyIsAbsent";

/** Marks a list of Gateway API that says by being empty what it says by not being there. */
export const orEmpty = <Listed extends v.GenericSchema>(list: Listed): Listed => ({
  ...list,
  [emptyMark]: true,
});

/**
 * What a value says once the members are gone that stand there and say nothing: `null` where a member may be
 * left out, which Kubernetes reads as its absence, and empty lists that {@link orEmpty} marks. Everything
 * else stays as it is, for the schema to judge.
 */
export function withoutAbsent(schema: v.GenericSchema, value: unknown): unknown {
  if (Array.isArray(value)) {
    const item = itemOf(schema);
    return item === undefined ? value : value.map((one: unknown) => withoutAbsent(item, one));
  }
  const entries = itemOf(schema) === undefined ? entriesOf(schema) : undefined;
  if (entries === undefined || typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, given]: [string, unknown]) => {
      const member = Object.hasOwn(entries, name) ? (entries[name] as v.GenericSchema) : undefined;
      if (member === undefined) return [[name, given]];
      return mayBeAbsent(member) && isAbsent(member, given) ? [] : [[name, withoutAbsent(member, given)]];
    }),
  );
}

const isAbsent = (member: v.GenericSchema, given: unknown): boolean =>
  given === null || (Array.isArray(given) && given.length === 0 && held(member, emptyMark) === true);
