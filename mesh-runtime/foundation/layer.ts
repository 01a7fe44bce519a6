/**
 * One step of a journey: takes what is known about an exchange, answers.
 * `In` is what is known on the way in; `Out` is what comes back.
 */
export type Step<In, Out> = (exchange: In) => Promise<Out>;

declare const needs: unique symbol;
declare const adds: unique symbol;

/**
 * A layer wraps the rest of a journey. Its name says what is true after it; its type says what must
 * be known before it (`Needs`) and what is known after it (`Adds`). `Inner` is what the rest answers,
 * `Outer` what the layer answers; they differ only where refusals become responses.
 */
export interface Layer<Needs, Adds, Inner, Outer = Inner> {
  readonly name: string;
  readonly wrap: <Known extends Needs>(next: Step<Known & Adds, Inner>) => Step<Known, Outer>;
  readonly [needs]?: (exchange: Needs) => void;
  readonly [adds]?: Adds;
}

/** Names a layer and states its contract. */
export function layer<Needs, Adds, Inner, Outer = Inner>(
  name: string,
  wrap: Layer<Needs, Adds, Inner, Outer>["wrap"],
): Layer<Needs, Adds, Inner, Outer> {
  return { name, wrap };
}

/** What a layer needs and the journey does not know yet: the reason why a wrong order does not compile. */
type Missing<Known, Needs> = [Known] extends [Needs] ? [] : [unknownHere: Exclude<keyof Needs, keyof Known>];

/**
 * A journey under construction, outermost layer first. `Known` grows with every layer, and a layer
 * whose needs are not known yet does not compile.
 */
export interface Journey<First, Outer, Known, Inner> {
  /** The names of the layers so far, outermost first. */
  readonly layers: readonly string[];
  through<Needs, Adds, Rest>(
    layer: Layer<Needs, Adds, Rest, Inner>,
    ...order: Missing<Known, Needs>
  ): Journey<First, Outer, Known & Adds, Rest>;
  /** Ends the journey and makes it one callable step. */
  to(last: Step<Known, Inner>): Step<First, Outer>;
}

/** Begins a journey that starts knowing `First` and answers `Outer`. */
export function journey<First, Outer>(): Journey<First, Outer, First, Outer> {
  return extend<First, Outer, First, Outer>([], (rest) => rest);
}

function extend<First, Outer, Known, Inner>(
  layers: readonly string[],
  wrap: (rest: Step<Known, Inner>) => Step<First, Outer>,
): Journey<First, Outer, Known, Inner> {
  return {
    layers,
    through: <Needs, Adds, Rest>(next: Layer<Needs, Adds, Rest, Inner>, ..._order: Missing<Known, Needs>) => {
      // `Missing` has refused every call where Known lacks something of Needs, so the layer may be read so.
      const fitting = next as unknown as Layer<Known, Adds, Rest, Inner>;
      return extend<First, Outer, Known & Adds, Rest>([...layers, next.name], (rest) =>
        wrap(fitting.wrap(rest)),
      );
    },
    to: wrap,
  };
}
