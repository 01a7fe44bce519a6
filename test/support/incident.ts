import type { TestMesh } from "@tulle/mesh-runtime/testing";
import { until, word } from "./answers.ts";
import { type CircuitSeen, circuitOf } from "./circuits.ts";

/** An incident at one backend, as some callers live through it. Wants a mesh whose clock stands still. */
export class Incident {
  readonly #mesh: TestMesh;
  readonly #backend: string;
  readonly #callers: readonly string[];

  constructor(mesh: TestMesh, backend: string, callers: readonly string[]) {
    this.#mesh = mesh;
    this.#backend = backend;
    this.#callers = callers;
  }

  /** One request, a POST without a key, so that it is one try. */
  ask(caller: string): Promise<string> {
    return word(this.#mesh.from(caller).fetch(`http://${this.#backend}/`, { method: "POST" }));
  }

  /** One request of every caller at once. */
  everybody(): Promise<readonly string[]> {
    return Promise.all(this.#callers.map((caller) => this.ask(caller)));
  }

  /** What the authority says of the circuit, after everything was reported. */
  circuit(): Promise<CircuitSeen | undefined> {
    return circuitOf(this.#mesh, this.#backend);
  }

  /** Breaks the backend until the authority has opened its circuit and every caller refuses. */
  async open(): Promise<void> {
    await this.everybody();
    await this.#mesh.settle();
    await this.#mesh.break(this.#backend, { status: 503 });
    const said = await until(
      async () => {
        const all = await this.everybody();
        await this.#mesh.settle();
        return all;
      },
      (all) => all.every((each) => each === "circuit-open"),
    );
    const seen = await this.circuit();
    if (!said.every((each) => each === "circuit-open") || seen?.state !== "open")
      throw new Error(`The circuit is ${seen?.state}, the callers say ${said.join(", ")}`);
  }

  /**
   * Sends requests and lets time pass until it is so, or 120 rounds are over.
   * @param meanwhile what else happens in a round
   * @param lastsMs how long a round lasts
   * @returns the rounds: what the callers said and what the circuit was then
   */
  async rounds(
    isSo: (round: Round) => boolean,
    meanwhile?: (round: Round) => Promise<void>,
    lastsMs = 400,
  ): Promise<readonly Round[]> {
    const rounds: Round[] = [];
    while (rounds.length < 120) {
      const said = await this.everybody();
      const round = { said, circuit: await this.circuit() };
      rounds.push(round);
      if (isSo(round)) return rounds;
      await meanwhile?.(round);
      await this.#mesh.advance(lastsMs);
    }
    return rounds;
  }
}

export interface Round {
  readonly said: readonly string[];
  readonly circuit: CircuitSeen | undefined;
}

/** The states that a circuit went through, each once, with the epochs that they had. */
export function courseOf(rounds: readonly Round[]): readonly CircuitSeen[] {
  const seen = rounds.flatMap(({ circuit }) => (circuit === undefined ? [] : [circuit]));
  return seen.filter((circuit, index) => circuit.epoch !== seen[index - 1]?.epoch);
}
