/**
 * The issuer's signing keys as slots, after SPIRE: prepared (published, not used) → active (signs) →
 * retiring (published until the last token it signed has ended) → removed. Plain data; whoever stores it
 * makes keys and publishes bundles as `step` says.
 */
export type SlotState = "prepared" | "active" | "retiring";

/** One key's place. `Key` is whatever its keeper stores with it: the public half, and the private one encrypted. */
export interface KeySlot<Key> {
  readonly kid: string;
  readonly state: SlotState;
  /** When it came into this state, milliseconds since the Unix epoch. */
  readonly since: number;
  readonly key: Key;
  /** Of a prepared key: an operator wants it to sign as soon as it is known, whatever is left of the active one's time. */
  readonly urgent?: true;
}

/** How keys follow each other. All milliseconds. */
export interface RotationPolicy {
  /** How long a key signs. */
  readonly activeMs: number;
  /** How long a key is published before it signs: 3 to 5 times what a bundle takes to spread (SPIFFE Trust Domain and Bundle §4.1). */
  readonly publishAheadMs: number;
  /** How long a key stays published after it has signed: the longest life of a token, with the verifiers' leeway. */
  readonly lingerMs: number;
}

export interface Rotation<Key> {
  readonly slots: readonly KeySlot<Key>[];
  /** Whether the slots are others than before, so that they have to be stored and a bundle published. */
  readonly changed: boolean;
  /** Whether a new key is to be made and put in with {@link withKey}. */
  readonly wantsKey: boolean;
  /** When to call again at the latest, milliseconds since the Unix epoch. */
  readonly nextAt: number;
}

/**
 * Moves the slots on to `now`. A prepared key becomes active only when it has been published for long enough,
 * and the active one signs on until then, however late that is: a verifier never meets a key that it could
 * not know, and the issuer never lacks one. Calling it twice with the same time changes nothing the second time.
 */
export function step<Key>(
  slots: readonly KeySlot<Key>[],
  now: number,
  policy: RotationPolicy,
): Rotation<Key> {
  const active = slots.find((slot) => slot.state === "active");
  const prepared = slots.find((slot) => slot.state === "prepared");
  const hasHadItsTime = active !== undefined && active.since + policy.activeMs <= now;
  const isKnown = prepared !== undefined && prepared.since + policy.publishAheadMs <= now;
  const isWanted = active === undefined || hasHadItsTime || prepared?.urgent === true;
  const turns = prepared !== undefined && isKnown && isWanted;

  const moved = slots.flatMap((slot): readonly KeySlot<Key>[] => {
    if (slot.state === "retiring") return slot.since + policy.lingerMs <= now ? [] : [slot];
    if (!turns) return [slot];
    const { kid, key, state } = slot;
    return [{ kid, key, state: state === "prepared" ? "active" : "retiring", since: now }];
  });
  const changed = turns || moved.length !== slots.length;
  return {
    slots: changed ? moved : slots,
    changed,
    wantsKey: wantsKey(moved, now, policy),
    nextAt: nextAt(moved, now, policy),
  };
}

/**
 * Puts a new key in. The first one is active at once: nobody waits for a bundle that nobody has, and a mesh
 * must be able to start. Every later one is prepared, and while one is, no other is put in.
 */
export function withKey<Key>(
  slots: readonly KeySlot<Key>[],
  kid: string,
  key: Key,
  now: number,
): readonly KeySlot<Key>[] {
  if (slots.some((slot) => slot.state === "prepared")) return slots;
  const state = signingSlot(slots) === undefined ? "active" : "prepared";
  return [...slots, { kid, state, since: now, key }];
}

/** Lets the prepared key sign as soon as it has been published for long enough; without one, nothing changes. */
export const hastened = <Key>(slots: readonly KeySlot<Key>[]): readonly KeySlot<Key>[] =>
  slots.map((slot) => (slot.state === "prepared" ? { ...slot, urgent: true } : slot));

/**
 * Takes a key out at once, whatever it still does: one that leaked. Where it was the one that signs, the prepared
 * one takes its place although not everybody knows it yet; without one, a new key has to be made.
 */
export function withoutKey<Key>(
  slots: readonly KeySlot<Key>[],
  kid: string,
  now: number,
): readonly KeySlot<Key>[] {
  const left = slots.filter((slot) => slot.kid !== kid);
  if (left.length === slots.length) return slots;
  if (signingSlot(left) !== undefined) return left;
  return left.map(({ kid, key, state, since }) =>
    state === "prepared" ? { kid, key, state: "active", since: now } : { kid, key, state, since },
  );
}

/** When a slot moves on by itself, milliseconds since the Unix epoch: to signing, to retiring, to nowhere. */
export function movesAt<Key>(
  slots: readonly KeySlot<Key>[],
  slot: KeySlot<Key>,
  policy: RotationPolicy,
): number {
  const active = signingSlot(slots);
  const prepared = slots.find(({ state }) => state === "prepared");
  if (slot.state === "retiring") return slot.since + policy.lingerMs;
  const turn = (active?.since ?? 0) + policy.activeMs;
  if (prepared === undefined) return turn;
  const known = prepared.since + policy.publishAheadMs;
  return prepared.urgent ? known : Math.max(turn, known);
}

/** The key that signs; undefined before the first one. */
export function signingSlot<Key>(slots: readonly KeySlot<Key>[]): KeySlot<Key> | undefined {
  return slots.find((slot) => slot.state === "active");
}

/** The next key is made so early that it is known everywhere when its turn comes. */
function wantsKey<Key>(slots: readonly KeySlot<Key>[], now: number, policy: RotationPolicy): boolean {
  const active = signingSlot(slots);
  if (slots.some((slot) => slot.state === "prepared")) return false;
  return active === undefined || active.since + policy.activeMs - policy.publishAheadMs <= now;
}

function nextAt<Key>(slots: readonly KeySlot<Key>[], now: number, policy: RotationPolicy): number {
  let next = Number.POSITIVE_INFINITY;
  const prepared = slots.find((slot) => slot.state === "prepared");
  for (const slot of slots) {
    if (slot.state === "prepared") continue;
    const makesNext = slot.state === "active" && prepared === undefined;
    next = Math.min(next, movesAt(slots, slot, policy) - (makesNext ? policy.publishAheadMs : 0));
  }
  return Number.isFinite(next) ? Math.max(next, now) : now;
}
