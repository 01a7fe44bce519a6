import { instruction, type ReadPattern } from "./pattern.ts";

/** An instruction of a pattern, or the same one of several patterns that are equal up to it. */
export interface Place {
  /** Tells it from all others of its tree. */
  readonly id: number;
  /** The class that it reads a character of, if it reads. */
  readonly reads: readonly number[] | undefined;
  /** What must be so for going on without reading, as `look` says it: 0 of a fork, and -1 (which never is) of the rest. */
  readonly demands: number;
  /** The numbers of the patterns that take a text that ends here, ascending. */
  readonly accepts: readonly number[];
  /** Whoever goes over places marks those that he has. */
  mark: number;
  readonly stem: Stem;
  /** The slots where it goes on. */
  readonly targets: readonly number[];
  /** Where it goes on, once somebody has asked; and the one place, where it is one. */
  next: readonly Place[] | undefined;
  only: Place | undefined;
}

/** Instructions, from one slot to before another, that several patterns share, as they do all before them. */
interface Stem {
  readonly members: readonly Member[];
  readonly from: number;
  readonly end: number;
  readonly places: Place[];
  branches: readonly Stem[] | undefined;
}

/** A pattern as a list of slots: the characters of its prefix, then its program. */
interface Member {
  readonly number: number;
  /** What is left of the prefix. */
  readonly literal: string;
  readonly pattern: ReadPattern;
  readonly length: number;
  ends: readonly number[] | undefined;
  /** How many slots are as those of the member before. */
  asBefore: number | undefined;
}

/** An instruction; targets are slots. */
interface Slot extends Pick<Place, "reads" | "demands"> {
  readonly targets: readonly number[];
  readonly accepts: boolean;
}

export interface PatternTree {
  /** Where all patterns begin. */
  readonly begin: () => readonly Place[];
  /** Where a place goes on. */
  readonly next: (place: Place) => readonly Place[];
}

/**
 * Many patterns as one. What they have in common from their beginnings on is there once, so that a thousand
 * of `/.*\/v[0-9]+/thing-1` are read as one until their names part; without, each character would be read a
 * thousand times. Nothing of it is made before somebody goes there.
 *
 * Patterns are cut where no later instruction leads back, which leaves loops whole: whatever leads to an
 * instruction before the cut is before it as well, so that equal pieces are come to by equal texts.
 *
 * @param skip characters that all of them begin with and that are read already
 * @param made is told about how many bytes were taken
 */
export function patternTree(
  patterns: readonly ReadPattern[],
  skip: number,
  made: (bytes: number) => void,
): PatternTree {
  const members = patterns.map((pattern, number): Member => {
    const literal = pattern.prefix.slice(skip);
    const length = literal.length + Math.floor(pattern.program.length / 3);
    return { number, literal, pattern, length, ends: undefined, asBefore: undefined };
  });
  let places = 0;
  const stemOf = (all: readonly Member[], from: number): Stem => {
    made(200 + 8 * all.length);
    return { members: all, from, end: sharedEnd(all, from), places: [], branches: undefined };
  };

  /** Members stand in the order of their rules, and neighbours are mostly alike. */
  const likeBefore = (before: Member, member: Member, from: number): number => {
    if (before !== members[member.number - 1]) return sharedBy(before, member, from);
    member.asBefore ??= sharedBy(before, member, from);
    return member.asBefore;
  };

  /** Where what is equal in all ends: after the piece that begins here, or a later one. */
  const sharedEnd = (all: readonly Member[], from: number): number => {
    const [first] = all;
    if (first === undefined || all.length === 1) return first?.length ?? from;
    let shared = first.length;
    for (let index = 1; index < all.length; index++)
      shared = Math.min(shared, likeBefore(all[index - 1] ?? first, all[index] ?? first, from));
    const cuts = [endOf(first, from)];
    for (let cut = cuts[0] ?? from; cut < shared; cuts.push(cut)) cut = endOf(first, cut);
    return (
      cuts.findLast((cut) => cut <= shared && all.every((each) => endOf(each, cut - 1) === cut)) ??
      cuts[0] ??
      from
    );
  };

  const isAsBefore = (before: Member | undefined, member: Member, from: number): boolean => {
    if (before === undefined) return false;
    const end = endOf(before, from);
    return end <= likeBefore(before, member, from) && endOf(member, from) === end;
  };

  const branchesOf = (stem: Stem): readonly Stem[] => {
    if (stem.branches !== undefined) return stem.branches;
    const { members, end } = stem;
    const equal = new Map<number | string, Member[]>();
    let there: Member[] = [];
    for (const member of members) {
      if (end >= member.length) continue;
      if (!isAsBefore(there.at(-1), member, end)) {
        const key = pieceAt(member, end);
        there = equal.get(key) ?? [];
        equal.set(key, there);
      }
      there.push(member);
    }
    stem.branches = Array.from(equal.values(), (all) =>
      stemOf(all.length === members.length ? members : all, end),
    );
    return stem.branches;
  };

  const placeAt = (stem: Stem, slot: number): Place => {
    const known = stem.places[slot - stem.from];
    if (known !== undefined) return known;
    const { reads, demands, targets, accepts } = slotAt(stem.members[0], slot);
    const place: Place = {
      id: places++,
      reads,
      demands,
      accepts: accepts ? stem.members.map(({ number }) => number) : noNumbers,
      mark: 0,
      stem,
      targets,
      next: undefined,
      only: undefined,
    };
    made(250);
    stem.places[slot - stem.from] = place;
    return place;
  };

  const placesAt = (slot: number, stem: Stem): readonly Place[] => {
    const found: Place[] = [];
    const stems = [stem];
    for (const each of stems) {
      if (slot >= each.from && slot < each.end) found.push(placeAt(each, slot));
      else if (slot >= each.end) for (const branch of branchesOf(each)) stems.push(branch);
    }
    return found;
  };

  return {
    begin: () => placesAt(0, { members, from: 0, end: 0, places: [], branches: undefined }),
    next: (place) => {
      if (place.next !== undefined) return place.next;
      const { stem, targets } = place;
      const [first = -1, second] = targets;
      place.next =
        second === undefined && first >= stem.from && first < stem.end
          ? [placeAt(stem, first)]
          : targets.flatMap((target) => placesAt(target, stem));
      if (place.next.length === 1) place.only = place.next[0];
      return place.next;
    },
  };
}

const noNumbers: readonly number[] = [];

const noSlot: Slot = { reads: undefined, demands: -1, targets: noNumbers, accepts: false };
const acceptingSlot: Slot = { ...noSlot, accepts: true };

function slotAt(member: Member | undefined, slot: number): Slot {
  if (member === undefined) return noSlot;
  const { literal, pattern } = member;
  if (slot < literal.length) {
    const char = literal.codePointAt(slot) ?? 0;
    return reading([char, char + 1], [slot + (char > 0xffff ? 2 : 1)]);
  }
  const at = 3 * (slot - literal.length);
  const kind = pattern.program[at];
  if (kind === undefined) return noSlot;
  if (kind === instruction.accept) return acceptingSlot;
  const target = literal.length + targetAt(pattern.program, at);
  if (kind === instruction.look)
    return {
      reads: undefined,
      demands: pattern.program[at + 1] ?? 0,
      targets: [target],
      accepts: false,
    };
  if (kind === instruction.fork) {
    const other = literal.length + otherTargetAt(pattern.program, at);
    return { reads: undefined, demands: 0, targets: [target, other], accepts: false };
  }
  const char = instruction.one - kind;
  return reading(kind > instruction.one ? pattern.classes[kind] : [char, char + 1], [target]);
}

const reading = (reads: Slot["reads"], targets: readonly number[]): Slot => ({
  reads,
  demands: -1,
  targets,
  accepts: false,
});

/** Where an instruction goes on, and where else. */
const targetAt = (program: readonly number[], at: number): number =>
  program[at + (program[at] === instruction.look ? 2 : 1)] ?? 0;
const otherTargetAt = (program: readonly number[], at: number): number =>
  program[at] === instruction.fork ? (program[at + 2] ?? 0) : targetAt(program, at);

/**
 * What tells the piece that begins at a slot from others; where that is a character that is read on the way, the
 * character, because nearly all are.
 */
function pieceAt(member: Member, from: number): number | string {
  const { literal, pattern } = member;
  const end = endOf(member, from);
  if (end === from + 1) {
    const at = from - literal.length;
    const kind = at < 0 ? instruction.one - literal.charCodeAt(from) : (pattern.program[3 * at] ?? 0);
    const isHalf = at < 0 && kind <= instruction.one - 0xd800 && kind >= instruction.one - 0xdfff;
    const isOnward = at < 0 || pattern.program[3 * at + 1] === at + 1;
    if (kind <= instruction.one && isOnward && !isHalf) return kind;
  }
  let key = "";
  for (let slot = from; slot < end; slot++) {
    const { reads, demands, targets, accepts } = slotAt(member, slot);
    key += `${reads?.join() ?? "-"} ${demands} ${targets.join()} ${accepts};`;
  }
  return key;
}

/** So many slots of two are equal from the beginning on, or more; those before `from` are known to be. */
function sharedBy(one: Member, next: Member, from: number): number {
  if (one.literal !== next.literal) return 0;
  const { program: ours, classes } = one.pattern;
  const { program: theirs, classes: otherClasses } = next.pattern;
  let at = 3 * Math.max(0, from - one.literal.length);
  for (; at < ours.length; at += 3) {
    if (ours[at + 1] !== theirs[at + 1] || ours[at + 2] !== theirs[at + 2]) break;
    const kind = ours[at] ?? 0;
    const other = theirs[at] ?? 0;
    if (kind < 0 || other < 0 ? kind !== other : !isSame(classes[kind], otherClasses[other])) break;
  }
  return one.literal.length + at / 3;
}

function isSame(one: readonly number[] | undefined, other: readonly number[] | undefined): boolean {
  if (one === undefined || other === undefined || one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}

/** Where the piece ends that begins at a slot: the next one that nothing later leads back before. */
function endOf(member: Member, from: number): number {
  const { literal, pattern } = member;
  if (from < literal.length) return from + 1;
  member.ends ??= endsOf(pattern.program);
  return literal.length + (member.ends[from - literal.length] ?? 0);
}

/** {@link endOf}, by number of an instruction. */
function endsOf(program: readonly number[]): readonly number[] {
  let end = Math.floor(program.length / 3);
  let lowest = end;
  const ends: number[] = new Array(end);
  for (let slot = end - 1; slot >= 0; slot--) {
    const at = 3 * slot;
    ends[slot] = end;
    if (program[at] !== instruction.accept)
      lowest = Math.min(lowest, targetAt(program, at), otherTargetAt(program, at));
    if (lowest >= slot) end = slot;
  }
  return ends;
}
