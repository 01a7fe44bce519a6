/** What was done with texts: how many characters were looked at at most, and how often something costly was called. */
export interface Work {
  readonly characters: number;
  /** Signatures made or verified, keys imported, texts hashed. */
  readonly cryptography: number;
  /** Texts read as JSON. */
  readonly parses: number;
}

/*
 * What is counted is all that code can look at a text with but brackets, and comparing two texts, which is done at the
 * first character that differs. A pattern that is held to a place is taken to look at every character once, which is true
 * of patterns that can match no text in two ways; ours can't.
 */

type Method = (this: unknown, ...args: readonly unknown[]) => unknown;
type Methods = Record<string, Method>;
/** How many characters a call has looked at, at most. */
type Cost = (text: string, args: readonly unknown[], result: unknown) => number;

const lengthOf = (found: unknown): number => (typeof found === "string" ? found.length : 1);
const whole: Cost = (text) => text.length;
const made: Cost = (_text, _args, result) => lengthOf(result);
const needle: Cost = (_text, [sought]) => lengthOf(sought);
/** From where a search begins to the end of what it found, or of the text. */
const searched: Cost = (text, [sought, from = 0], result) => {
  const end = typeof result === "number" && result >= 0 ? result + lengthOf(sought) : text.length;
  return Math.max(0, end - Number(from));
};
/** What was taken away, and where it ends on either side. */
const trimmed: Cost = (text, _args, result) => text.length - lengthOf(result) + 2;
/** A pattern is counted where it is tried. */
const byPattern: Cost = (text, [sought]) => (sought instanceof RegExp ? 0 : text.length);

const ofText: Readonly<Record<string, Cost>> = {
  at: () => 1,
  charAt: () => 1,
  charCodeAt: () => 1,
  codePointAt: () => 1,
  concat: made,
  endsWith: needle,
  includes: whole,
  indexOf: searched,
  lastIndexOf: whole,
  localeCompare: whole,
  match: byPattern,
  matchAll: byPattern,
  normalize: whole,
  repeat: made,
  replace: byPattern,
  replaceAll: byPattern,
  search: byPattern,
  slice: made,
  split: byPattern,
  startsWith: needle,
  substring: made,
  toLowerCase: whole,
  toUpperCase: whole,
  trim: trimmed,
  trimEnd: trimmed,
  trimStart: trimmed,
};

/**
 * From how many places a pattern is tried at every character, at most: from one where it is held to its beginning, or to
 * a place of its own; otherwise from as many as it may repeat itself, without end from all.
 */
function retries({ source, sticky }: RegExp, text: string): number {
  if (sticky || source.startsWith("^")) return 1;
  if (/[*+]|,\}/.test(source)) return text.length;
  return Math.max(1, ...[...source.matchAll(/\{(?:\d+,)?(\d+)\}/g)].map(([, most]) => Number(most)));
}

/** What a pattern has looked at that was tried at `begin`: as far as it matched, or at worst to the end. */
const ofPattern = (pattern: RegExp, text: string, result: unknown, begin: number): number =>
  pattern.sticky
    ? (result === null ? text.length : pattern.lastIndex) - begin
    : text.length * retries(pattern, text);

type Count = (self: unknown, args: readonly unknown[], result: unknown, begin: number) => void;

/** Counts what something does with texts, and what it has cryptography do: a bound that depends on no clock and no machine. */
export async function metered(work: () => Promise<unknown>): Promise<Work> {
  let characters = 0;
  let cryptography = 0;
  let parses = 0;
  let isCounting = true;
  const undo: (() => void)[] = [];
  const watch = (owner: object, name: string, count: Count, begins: (self: unknown) => number = () => 0) => {
    const methods = owner as Methods;
    const original = methods[name];
    if (original === undefined) throw new Error(`there is no ${name}`);
    const hadOwn = Object.hasOwn(owner, name);
    methods[name] = function counted(this: unknown, ...args) {
      const begin = begins(this);
      const result = Reflect.apply(original, this, args);
      if (isCounting) {
        // What counting itself does with texts is not counted.
        isCounting = false;
        count(this, args, result, begin);
        isCounting = true;
      }
      return result;
    };
    undo.push(() => {
      if (hadOwn) methods[name] = original;
      else delete methods[name];
    });
  };
  for (const [name, cost] of Object.entries(ofText))
    watch(String.prototype, name, (text, args, result) => {
      characters += cost(String(text), args, result);
    });
  // By this one all others go that take a pattern, where it is not the platform's own.
  watch(
    RegExp.prototype,
    "exec",
    (pattern, [text], result, begin) => {
      characters += ofPattern(pattern as RegExp, String(text), result, begin);
    },
    (pattern) => (pattern as RegExp).lastIndex,
  );
  watch(JSON, "parse", (_, [text]) => {
    parses += 1;
    characters += lengthOf(text);
  });
  for (const name of ["atob", "btoa"])
    watch(globalThis, name, (_, [text]) => {
      characters += lengthOf(text);
    });
  for (const name of ["includes", "indexOf", "lastIndexOf"])
    watch(Array.prototype, name, (all) => {
      characters += (all as readonly unknown[]).length;
    });
  for (const name of ["encode", "encodeInto"])
    watch(TextEncoder.prototype, name, (_, [text]) => {
      characters += lengthOf(text);
    });
  watch(TextDecoder.prototype, "decode", (_, _args, result) => {
    characters += lengthOf(result);
  });
  for (const name of ["sign", "verify", "digest", "importKey"])
    watch(crypto.subtle, name, () => {
      cryptography += 1;
    });
  try {
    await work();
  } finally {
    for (const one of undo) one();
  }
  return { characters, cryptography, parses };
}
