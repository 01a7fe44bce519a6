import { RE2JS, RE2JSSyntaxException } from "re2js";
import { no, ok, type Result } from "../foundation/result.ts";
import { instruction, type ReadPattern, readPatterns } from "../routing/pattern.ts";
import type { Pattern } from "../routing/words.ts";

/** Instructions of one pattern. A character of a request costs at most one look at each of them. */
export const maxInstructions = 1_000;

/** Numbers in the character classes of one pattern; `\pL` takes 1,300. */
const maxClassNumbers = 8_000;

/** As re2js compiles it; its kinds of instructions. */
interface Instruction {
  readonly op: number;
  readonly out: number;
  readonly arg: number;
  readonly runes: Int32Array;
}
const re2 = {
  alternative: 1,
  alternativeMatch: 2,
  capture: 3,
  emptyWidth: 4,
  fail: 5,
  match: 6,
  nothing: 7,
  rune: 8,
  rune1: 9,
  anyRune: 10,
  anyRuneButNewline: 11,
} as const;

/** Bit of a `rune` that stands for its other cases as well. */
const foldCase = 1;
/** `look` for where a text or a line begins. */
const begins = 1 | 4;

/**
 * Compiles a regular expression in RE2's syntax to what a worker runs. It stands for the whole text, as
 * with Envoy: `^` and `$` change nothing.
 *
 * @returns the pattern, or what is wrong and what to do, without the place
 */
export function compilePattern(source: string): Result<Pattern, string> {
  const known = recent.get(source);
  if (known !== undefined) return known;
  const pattern = compiled(source);
  const [oldest] = recent.keys();
  if (oldest !== undefined && recent.size >= mostRecent) recent.delete(oldest);
  recent.set(source, pattern);
  return pattern;
}

/** One expression is compiled where it is checked, where it is counted, and for each place that it is at. */
const recent = new Map<string, Result<Pattern, string>>();
const mostRecent = 256;

function compiled(source: string): Result<Pattern, string> {
  // Far above, so that whatever could fit comes to be compiled, and what takes long does not.
  if (sizeOf(source) > 10 * maxInstructions) return no(tooLarge);
  const program = parsed(source);
  if (!program.ok) return program;
  const pattern = simplified(program.value.instructions, program.value.start);
  if (pattern.program.length > 3 * maxInstructions) return no(tooLarge);
  if (pattern.classes.flat().length > maxClassNumbers)
    return no("the character classes of this expression are too large; name fewer or smaller ones");
  return ok({ prefix: pattern.prefix, program: JSON.stringify([pattern.program, ...pattern.classes]) });
}

function parsed(
  source: string,
): Result<{ readonly instructions: readonly Instruction[]; readonly start: number }, string> {
  try {
    const { inst, start } = RE2JS.compile(source).re2().prog;
    return ok({ instructions: inst, start });
  } catch (error) {
    if (error instanceof RE2JSSyntaxException) return no(explained(error.error, error.input ?? ""));
    throw error;
  }
}

const tooLarge = `this expression is too large, above ${maxInstructions} steps when its repetitions are written out; repeat less, or use * or +`;

/** What RE2 does not have, and what to do instead. */
function explained(fault: string, at: string): string {
  if (fault === "invalid repeat count") return tooLarge;
  if (/^\(\?<?[=!]/.test(at))
    return `RE2 has no look-ahead and look-behind (${at.slice(0, 4)}), for they cannot be decided in one pass; write what the whole value must be, or several matches`;
  if (/^\\[1-9k]/.test(at))
    return `RE2 has no back-references (${at}), for they cannot be decided in one pass; write out what may be repeated`;
  if (at.startsWith("(?>") || /^[*+?}].*\+$/.test(at))
    return `RE2 has no atomic groups and possessive repetitions (${at}), and needs none; leave the sign out`;
  const where = at === "" ? "" : ` at ${JSON.stringify(at.slice(0, 40))}`;
  return `this is not RE2 syntax: ${fault}${where}; write it as RE2 has it (https://github.com/google/re2/wiki/Syntax)`;
}

/** Leaves out what only captures need, and takes the literal beginning off. */
function simplified(instructions: readonly Instruction[], start: number): ReadPattern {
  const at = (index: number): Instruction => {
    let found = instructions[index];
    while (found?.op === re2.capture || found?.op === re2.nothing) found = instructions[found.out];
    if (found === undefined) throw new TypeError("Cannot compile a pattern: an instruction is missing");
    return found;
  };

  let first = at(start);
  let prefix = "";
  for (;;) {
    const literal = literalOf(first);
    const trivial = prefix === "" && first.op === re2.emptyWidth && (first.arg & ~begins) === 0;
    if (literal === undefined && !trivial) break;
    prefix += literal ?? "";
    first = at(first.out);
  }

  const classes = new Map<string, number>();
  const classIndex = (characters: readonly number[]): number => {
    const name = characters.join();
    const known = classes.get(name) ?? classes.size;
    classes.set(name, known);
    return known;
  };
  const kindOf = (characters: readonly number[]): number => {
    const [char = 0, end] = characters;
    return characters.length === 2 && end === char + 1 ? instruction.one - char : classIndex(characters);
  };
  const order = inOrder(first, at);
  const places = new Map(order.map((each, index) => [each, index]));
  const placeOf = (index: number): number => places.get(at(index)) ?? 0;
  const program: number[] = [];
  for (const { op, out, arg, runes } of order) {
    if (op === re2.match) program.push(instruction.accept, 0, 0);
    else if (op === re2.alternative || op === re2.alternativeMatch)
      program.push(instruction.fork, placeOf(out), placeOf(arg));
    else if (op === re2.emptyWidth) program.push(instruction.look, arg, placeOf(out));
    else if (op === re2.fail) program.push(classIndex([]), 0, 0);
    else program.push(kindOf(charactersOf(op, runes, arg)), placeOf(out), 0);
  }
  return {
    prefix,
    classes: [...classes.keys()].map((name) => (name === "" ? [] : name.split(",").map(Number))),
    program,
  };
}

/**
 * Every instruction after those that lead to it, but for loops, which stay together: what workers read as one of
 * several patterns is what comes before anything that another one does not have (`routing/pattern-tree.ts`).
 * That is the order opposite to the one in which instructions are done with, where whatever re2js wrote
 * last, the way out of a loop, is gone first.
 */
function inOrder(first: Instruction, at: (index: number) => Instruction): readonly Instruction[] {
  const done: Instruction[] = [];
  const seen = new Set([first]);
  const open = [{ each: first, next: followersOf(first) }];
  for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
    const index = last.next.pop();
    if (index === undefined) {
      done.push(last.each);
      open.pop();
      continue;
    }
    const each = at(index);
    if (seen.has(each)) continue;
    seen.add(each);
    open.push({ each, next: followersOf(each) });
  }
  return done.reverse();
}

/** Where an instruction leads, in the order in which re2js wrote it. */
function followersOf({ op, out, arg }: Instruction): number[] {
  if (op === re2.match || op === re2.fail) return [];
  return op === re2.alternative || op === re2.alternativeMatch ? [out, arg].sort((a, b) => a - b) : [out];
}

/** The one character that an instruction reads, if there is only one and it can stand alone. */
function literalOf({ op, arg, runes: [char = 0, ...more] }: Instruction): string | undefined {
  const one =
    (op === re2.rune1 || op === re2.rune) && (arg & foldCase) === 0 && more.every((each) => each === char);
  return one && (char < 0xd800 || char > 0xdfff) ? String.fromCodePoint(char) : undefined;
}

/** Where the class of an instruction begins and ends, in turn. */
function charactersOf(op: number, runes: Int32Array, flags: number): readonly number[] {
  if (op === re2.anyRune) return [0];
  if (op === re2.anyRuneButNewline) return [0, 10, 11];
  if (op !== re2.rune && op !== re2.rune1)
    throw new TypeError(`Cannot compile a pattern: the instruction ${op} is not known`);
  const [char = 0] = runes;
  if (runes.length === 1) return (flags & foldCase) === 0 ? [char, char + 1] : allCasesOf(char);
  return borders(runes);
}

/** Asks re2js itself which characters are the same but for their case; the last character there is none of them. */
function allCasesOf(char: number): readonly number[] {
  const { inst } = RE2JS.compile(`(?i)[\\x{${char.toString(16)}}\\x{10FFFF}]`).re2().prog;
  const found = (inst as readonly Instruction[]).find(({ op }) => op === re2.rune);
  if (found === undefined)
    throw new TypeError("Cannot compile a pattern: the cases of a character are not found");
  return borders(found.runes.slice(0, -2));
}

/** From first and last characters of ranges. */
function borders(runes: Int32Array): readonly number[] {
  const all: number[] = [];
  for (const [index, rune] of runes.entries()) {
    if (index % 2 === 0 && all.at(-1) === rune) all.pop();
    else all.push(index % 2 === 0 ? rune : rune + 1);
  }
  if (all.at(-1) === 0x110000) all.pop();
  return all;
}

/** What a pattern is made of, as far as its size goes: quotations, escapes, classes, repetitions, characters. */
const tokens =
  /\\Q[\s\S]*?(?:\\E|$)|\\[pPx]\{[^}]*\}|\\[\s\S]|\[\^?\]?(?:\[:\^?\w+:\]|\\[\s\S]|[^\]\\])*\]|\{\d+(?:,\d*)?\}|[\s\S]/g;

/** How many instructions a compiled pattern has. */
export const instructionsOf = ({ program }: Pattern): number => {
  const [first] = readPatterns([{ prefix: "", program }]);
  return (first?.program.length ?? 0) / 3;
};

/** About how many instructions a pattern becomes, and not fewer, found without writing out its repetitions. */
export function sizeOf(source: string): number {
  const outer: number[] = [];
  let sum = 0;
  let last = 0;
  for (const [token] of source.matchAll(tokens)) {
    const [, least, most] = /^\{(\d+)(?:,(\d*))?\}$/.exec(token) ?? [];
    if (least !== undefined) {
      const times = Math.max(1, Number(least), Number(most ?? 0));
      sum += last * times;
      last += last * times;
    } else if (token === "(") {
      outer.push(sum);
      sum = 0;
    } else if (token === ")") {
      last = sum + 2;
      sum = (outer.pop() ?? 0) + last;
    } else {
      last = token.startsWith("\\Q") ? token.length : 1;
      sum += last;
    }
  }
  return sum + outer.reduce((all, each) => all + each, 0);
}
