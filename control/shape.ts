import { no, ok, type Result } from "@tulle/mesh-runtime/foundation/result.ts";

/** Reads a value from outside as a `T`, every size bounded. Made by the functions below, used by {@link fits}. */
export interface Shape<T> {
  /** @throws Misfit where the value is something else */
  readonly read: (value: unknown, path: string) => T;
  /** An object may lack a member of this shape. */
  readonly optional?: true;
}

/** Where a value does not fit and what belongs there. Never carries the value itself. */
class Misfit extends Error {}

/** Whether a value has a shape: a copy with nothing but what the shape names, or where it does not fit. */
export function fits<T>(shape: Shape<T>, value: unknown): Result<T, string> {
  try {
    return ok(shape.read(value, ""));
  } catch (error) {
    if (error instanceof Misfit) return no(error.message);
    throw error;
  }
}

const shape = <T>(expected: string, test: (value: unknown) => value is T): Shape<T> => ({
  read: (value, path) => {
    if (test(value)) return value;
    throw new Misfit(`${path === "" ? "the whole" : path} must be ${expected}`);
  },
});

/**
 * A string of at most `max` UTF-16 units, and of the pattern's form if there is one.
 * @param form the pattern in words, for people who write such texts
 */
export const text = (max: number, pattern?: RegExp, form = "in its proper form"): Shape<string> =>
  shape(
    `a text of at most ${max} characters${pattern ? ` ${form}` : ""}`,
    (value): value is string =>
      typeof value === "string" && value.length <= max && (pattern === undefined || pattern.test(value)),
  );

/** A whole number within bounds, both included. */
export const whole = (min: number, max: number): Shape<number> =>
  shape(
    `a whole number from ${min} to ${max}`,
    (value): value is number => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max,
  );

/** A finite number within bounds, both included. */
export const finite = (min: number, max: number): Shape<number> =>
  shape(
    `a number from ${min} to ${max}`,
    (value): value is number =>
      typeof value === "number" && Number.isFinite(value) && value >= min && value <= max,
  );

export const flag: Shape<boolean> = shape(
  "true or false",
  (value): value is boolean => typeof value === "boolean",
);

export const oneOf = <T extends string | number>(...values: readonly T[]): Shape<T> =>
  shape(`one of ${values.join(", ")}`, (value): value is T => values.some((each) => each === value));

/** The first of two shapes that fits. */
export const either = <A, B>(first: Shape<A>, second: Shape<B>): Shape<A | B> => ({
  read: (value, path) => {
    const one = fits({ read: () => first.read(value, path) }, value);
    return one.ok ? one.value : second.read(value, path);
  },
});

/** A member that may be absent. `null` is not absent. */
export const optional = <T>(inner: Shape<T>): Shape<T> => ({ ...inner, optional: true });

export const list = <T>(inner: Shape<T>, max: number): Shape<T[]> => ({
  read: (value, path) => {
    if (!Array.isArray(value) || value.length > max) {
      throw new Misfit(`${path === "" ? "the whole" : path} must be a list of at most ${max}`);
    }
    return value.map((each, index) => inner.read(each, `${path}[${index}]`));
  },
});

/** An object used as a map. Keys are copied into an object without a prototype. */
export const record = <T>(inner: Shape<T>, max: number, maxKey: number): Shape<Record<string, T>> => ({
  read: (value, path) => {
    const entries = isObject(value) ? Object.entries(value) : undefined;
    if (entries === undefined || entries.length > max || entries.some(([key]) => key.length > maxKey)) {
      throw new Misfit(`${path} must have at most ${max} names of at most ${maxKey} characters`);
    }
    return Object.fromEntries(entries.map(([key, each]) => [key, inner.read(each, `${path}.${key}`)]));
  },
});

/** An object with these members. Others are dropped: a newer peer may send what this version does not know. */
export const object = <T>(members: { readonly [K in keyof T]-?: Shape<T[K]> }): Shape<T> => ({
  read: (value, path) => {
    if (!isObject(value)) throw new Misfit(`${path === "" ? "the whole" : path} must be an object`);
    const read: Partial<T> = {};
    for (const name of Object.keys(members) as (keyof T & string)[]) {
      const member: Shape<T[typeof name]> = members[name];
      const given = Object.hasOwn(value, name) ? value[name] : undefined;
      if (given === undefined && member.optional === true) continue;
      read[name] = member.read(given, path === "" ? name : `${path}.${name}`);
    }
    return read as T;
  },
});

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
