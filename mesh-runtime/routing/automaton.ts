import {
  beside,
  besideOf,
  countUpTo,
  instruction,
  isIn,
  lookClasses,
  placeBetween,
  type ReadPattern,
  readPatterns,
} from "./pattern.ts";
import { type Place, patternTree } from "./pattern-tree.ts";
import { spend, stepsLeft } from "./steps.ts";
import type { Pattern } from "./words.ts";

/**
 * Tells which of some patterns the whole of a text falls under: their numbers, ascending. The list for one
 * answer is one object, as long as it is remembered.
 */
export type Finder = (text: string) => readonly number[];

/** What all automata of an isolate may keep of what they have learned, about, bytes. Beyond, all is forgotten. */
export const maxKept = 16 * 1024 * 1024;

/** But not before so many texts, so that learning anew stays a small part of the work. */
const restTexts = 64;

/** States that one text may teach: a long one of somebody's making does not push out what others need. */
export const maxTaught = 256;

/** Their number fits what says which state is next. */
const maxStates = 65_535;

/** What a character cost is kept in units of so many steps; a character that costs more than fits is too much. */
const unit = 4;
const maxUnits = 65_535;

/** Patterns of one finder up to which it looks for an equal automaton. */
const comparable = 16;

/** Reads a text from a place on. */
type Automaton = (text: string, from: number) => readonly number[];

/** Where finders find what they have learned; apart from them, so that all can be forgotten at once. */
interface Learned {
  automaton: Automaton | undefined;
}

interface Memory {
  kept: number;
  texts: number;
  /** By what the patterns say after what their texts begin with: a thousand paths that end alike are learned once. */
  learned: Map<unknown, Learned>;
}

const memory: Memory = { kept: 0, texts: 0, learned: new Map() };

/** Counts what is kept on behalf of an automaton, bytes. */
export const keeps = (bytes: number): void => {
  memory.kept += bytes;
};

/** What all automata of this isolate keep, about, bytes. */
export const keptBytes = (): number => memory.kept;

/** Drops what all automata have learned; they learn it anew. */
export function forget(): void {
  for (const each of memory.learned.values()) each.automaton = undefined;
  Object.assign(memory, { kept: 0, texts: 0, learned: new Map() });
}

/** By pattern, and gone with the snapshot that the pattern is from. */
const finders = new WeakMap<Pattern, Finder>();

/** Whether the whole text falls under a pattern; {@link finderOf} for whoever keeps no finders. */
export function patternMatches(pattern: Pattern, text: string): boolean {
  let find = finders.get(pattern);
  if (find === undefined) {
    find = finderOf([pattern]);
    finders.set(pattern, find);
  }
  return find(text).length > 0;
}

/**
 * Finds patterns. Never goes back: each character costs at most one look at each instruction, whatever the
 * patterns and the text (Thompson's construction), so that no document and no request can make it run long; and what
 * the texts of one request cost together is bounded (`steps.ts`). Steps are counted as if nothing were learned, so
 * that the same request takes as many in every isolate at every time. Without steps left it finds nothing.
 * Where reading can be after some text is a state, found out when it is first met and kept, so that texts
 * that go the ways of earlier ones cost one look-up a character, however many patterns there are. A text
 * that teaches too much, or finds no more room, is read to its end without keeping anything (as RE2 does).
 * Nothing is prepared before the first text.
 */
export function finderOf(patterns: readonly Pattern[]): Finder {
  let prefix: string | undefined;
  let learned: Learned | undefined;
  return (text) => {
    prefix ??= commonPrefix(patterns);
    if (!text.startsWith(prefix) || stepsLeft() < 0) return none;
    memory.texts += 1;
    if (memory.kept > maxKept && memory.texts > restTexts) forget();
    if (learned?.automaton === undefined) learned = learnedOf(patterns, prefix);
    return learned.automaton?.(text, prefix.length) ?? none;
  };
}

function learnedOf(patterns: readonly Pattern[], prefix: string): Learned {
  const before = besideOf(prefix === "" ? undefined : prefix.charCodeAt(prefix.length - 1));
  const key = patterns.length > comparable ? patterns : sameAs(patterns, prefix.length, before);
  const known = memory.learned.get(key);
  if (known !== undefined) return known;
  const learned = { automaton: automatonOf(readPatterns(patterns), prefix.length, before) };
  memory.learned.set(key, learned);
  if (typeof key === "string") keeps(2 * key.length);
  return learned;
}

/** Equal for patterns that are the same after so many characters. */
const sameAs = (patterns: readonly Pattern[], skip: number, before: number): string =>
  JSON.stringify([before, patterns.map((each) => ({ ...each, prefix: each.prefix.slice(skip) }))]);

const none: readonly number[] = [];
/** Numbers of states; `unknown` is not one. */
const unknown = 0;
const dead = 1;

/**
 * @param skip characters that all patterns begin with and that are read already
 * @param besideFirst what the last of them is, as `look` asks for it
 */
function automatonOf(patterns: readonly ReadPattern[], skip: number, besideFirst: number): Automaton {
  const looks = patterns.some(asksAround);
  const tree = patternTree(patterns, skip, keeps);
  const bounds = boundsOf(patterns, skip, looks);
  /** Of ASCII, which of the characters that nothing tells apart one is among. */
  const columns = Uint16Array.from({ length: 128 }, (_, char) => countUpTo(bounds, char));
  const width = bounds.length + 1;
  keeps(patterns.reduce((sum, { program }) => sum + 100 + 4 * program.length, 3_000 + 50 * width));

  // By number of a state: where reading can be, what stands before it, which state is next for each column, who accepts.
  const places: (readonly Place[])[] = [none as [], none as []];
  const befores: number[] = [beside.other, beside.other];
  const answers: (readonly number[] | undefined)[] = [none, none];
  let nexts = new Uint16Array(16 * width);
  /** For each of those, what finding it takes. */
  let costs = new Uint16Array(16 * width);
  const states = new Map<string, number>();
  const lists = new Map<string, readonly number[]>();
  let mark = 1;

  const kindOf = (char: number | undefined): number => (looks ? besideOf(char) : beside.other);

  let found: Place[] = [];
  const ways: Place[] = [];
  /** Places that have been looked at for the character that is read. */
  let looked = 0;
  /** Notes a place once; from one where all is so as `here` says, reading goes on at once. */
  const note = (place: Place, here: number): void => {
    looked += 1;
    if (place.mark === mark) return;
    place.mark = mark;
    ((place.demands & ~here) === 0 ? ways : found).push(place);
  };
  const noteNext = (place: Place, here: number): void => {
    if (place.only !== undefined) note(place.only, here);
    else for (const each of place.next ?? tree.next(place)) note(each, here);
  };

  /** What has been noted, and what is come to from there without reading. */
  const noted = (here: number): readonly Place[] => {
    for (let index = 0; index < ways.length; index++) {
      const way = ways[index];
      if (way !== undefined) noteNext(way, here);
    }
    const all = found;
    ways.length = 0;
    found = [];
    mark += 1;
    return all;
  };

  /** Forks are gone on from at once, looks when it is known what stands after them. */
  const open = (from: readonly Place[], before: number, after: number): readonly Place[] => {
    if (!looks) return from;
    const here = placeBetween(before, after);
    for (const place of from) note(place, here);
    return noted(here);
  };

  /** Where reading can be after a character; `looked` then says what that took. */
  const after = (from: readonly Place[], before: number, char: number): readonly Place[] => {
    looked = 0;
    const now = open(from, before, kindOf(char));
    looked += now.length;
    let asked: readonly number[] | undefined;
    let isRead = false;
    for (let index = 0; index < now.length && looked <= unit * maxUnits; index++) {
      const place = now[index];
      if (place === undefined) continue;
      // Most places that can be next read the same.
      if (place.reads !== asked) isRead = isIn(place.reads ?? none, char);
      asked = place.reads;
      if (isRead) noteNext(place, 0);
    }
    return noted(0);
  };

  /** What the last character took; more than anybody has where it was not read to the end. */
  const cost = (): number => {
    const units = Math.ceil(looked / unit);
    return units > maxUnits ? Number.POSITIVE_INFINITY : units * unit;
  };

  const accepting = (from: readonly Place[], before: number): readonly number[] =>
    open(from, before, kindOf(undefined))
      .flatMap(({ accepts }) => accepts)
      .sort((a, b) => a - b);

  /** The state of some places; unknown, if it is new and there is no room for it. */
  const stateOf = (all: readonly Place[], before: number, mayTeach: boolean): number => {
    if (all.length === 0) return dead;
    let name = String.fromCharCode(before);
    for (const { id } of all) name += String.fromCharCode(id & 0x7fff, id >> 15);
    const known = states.get(name);
    if (known !== undefined) return known;
    if (places.length > maxStates) keeps(maxKept);
    if (!mayTeach || memory.kept > maxKept) return unknown;
    const state = places.push(all) - 1;
    befores.push(before);
    states.set(name, state);
    keeps(250 + 6 * width + 50 * all.length);
    if (nexts.length < (state + 1) * width) {
      const larger = new Uint16Array(2 * nexts.length);
      larger.set(nexts);
      nexts = larger;
      const moreCosts = new Uint16Array(larger.length);
      moreCosts.set(costs);
      costs = moreCosts;
    }
    return state;
  };

  const answerOf = (state: number): readonly number[] => {
    const list = accepting(places[state] ?? [], befores[state] ?? 0);
    const name = list.join();
    const answer = lists.get(name) ?? list;
    if (answer === list) {
      lists.set(name, list);
      keeps(100 + 12 * list.length);
    }
    answers[state] = answer;
    return answer;
  };

  for (const place of tree.begin()) note(place, 0);
  const begin = noted(0);
  const beginsAfter = looks ? besideFirst : beside.other;
  const start = stateOf(begin, beginsAfter, true);

  /** Reads a text to its end, and keeps nothing. */
  const readOn = (text: string, from: number, at: readonly Place[], before: number): readonly number[] => {
    let now = at;
    let kind = before;
    for (let next = from; next < text.length && now.length > 0; next++) {
      const char = text.codePointAt(next) ?? 0;
      if (char > 0xffff) next++;
      now = after(now, kind, char);
      if (!spend(cost())) return none;
      kind = kindOf(char);
    }
    return accepting(now, kind);
  };

  return (text, from) => {
    if (start === unknown) return readOn(text, from, begin, beginsAfter);
    let state = start;
    let taught = 0;
    let spent = 0;
    for (let at = from; at < text.length; at++) {
      let char = text.charCodeAt(at);
      let column = columns[char];
      if (column === undefined) {
        char = text.codePointAt(at) ?? char;
        if (char > 0xffff) at++;
        column = countUpTo(bounds, char);
      }
      const way = state * width + column;
      let next = nexts[way] ?? unknown;
      if (next === unknown) {
        const read = after(places[state] ?? [], befores[state] ?? 0, char);
        const took = cost();
        if (!spend(unit * spent + took)) return none;
        spent = 0;
        const known = states.size;
        next = stateOf(read, kindOf(char), taught < maxTaught);
        if (next === unknown) return readOn(text, at + 1, read, kindOf(char));
        taught += states.size - known;
        nexts[way] = next;
        costs[way] = took / unit;
      } else spent += costs[way] ?? 0;
      state = next;
      if (state === dead) break;
    }
    if (!spend(unit * spent)) return none;
    return answers[state] ?? answerOf(state);
  };
}

/** What all begin with, never half of a character. */
function commonPrefix(patterns: readonly Pattern[]): string {
  let prefix = patterns[0]?.prefix ?? "";
  for (const { prefix: other } of patterns) {
    let length = 0;
    while (length < prefix.length && prefix[length] === other[length]) length++;
    prefix = prefix.slice(0, length);
  }
  const last = prefix.charCodeAt(prefix.length - 1);
  return last >= 0xd800 && last < 0xdc00 ? prefix.slice(0, -1) : prefix;
}

function asksAround({ program }: ReadPattern): boolean {
  for (let at = 0; at < program.length; at += 3) if (program[at] === instruction.look) return true;
  return false;
}

/** Where the characters begin that something tells from those before, ascending. */
function boundsOf(patterns: readonly ReadPattern[], skip: number, looks: boolean): readonly number[] {
  // Nearly all are of ASCII, and there may be ten thousand patterns.
  const ascii = new Uint8Array(128);
  const others = new Set<number>(looks ? [...lookClasses.word, ...lookClasses.newline] : []);
  const add = (number: number): void => {
    if (number < 128) ascii[number] = 1;
    else others.add(number);
  };
  for (const { prefix, classes, program } of patterns) {
    for (let at = 0; at < program.length; at += 3) {
      const char = instruction.one - (program[at] ?? 0);
      if (char < 0) continue;
      add(char);
      add(char + 1);
    }
    for (let index = 0; index < classes.length; index++) {
      const numbers = classes[index] ?? none;
      for (let at = 0; at < numbers.length; at++) add(numbers[at] ?? 0);
    }
    for (let at = skip; at < prefix.length; at++) {
      const char = prefix.codePointAt(at) ?? 0;
      add(char);
      add(char + 1);
    }
  }
  for (let char = 0; char < 128; char++) if (ascii[char] === 1) others.add(char);
  return [...others].sort((a, b) => a - b);
}
