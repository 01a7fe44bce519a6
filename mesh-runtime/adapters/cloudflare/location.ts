import type { Here } from "../../index.ts";
import type { MeshBindings } from "./bindings.ts";

/** Requests that are asked where they came in. One that came over a binding may not say, and to ask costs about a microsecond. */
const mostAsked = 8;

/** Where this isolate runs: it never moves. Found out once, from what its variables say or its first requests. */
export class Location {
  readonly #said: Here;
  #asked = 0;
  #colo: string | undefined;

  constructor({ TULLE_REGION: region, TULLE_ZONE: zone }: MeshBindings) {
    this.#said = { ...(region ? { region } : {}), ...(zone ? { zone } : {}) };
    if (zone) this.#asked = mostAsked;
  }

  /** Looks at the Cloudflare location (`colo`) that a request came in at, as long as that is not known. */
  ask(request: Request): void {
    if (this.#asked >= mostAsked) return;
    this.#asked += 1;
    const cf: unknown = Reflect.get(request, "cf");
    const colo: unknown = typeof cf === "object" && cf !== null ? Reflect.get(cf, "colo") : undefined;
    if (typeof colo !== "string" || colo === "") return;
    this.#colo = colo;
    this.#asked = mostAsked;
  }

  /** Undefined where nothing is known. A location is a zone; which region it is in only a variable says. */
  here(): Here | undefined {
    if (this.#colo !== undefined) return { ...this.#said, zone: this.#colo };
    return Object.keys(this.#said).length === 0 ? undefined : this.#said;
  }
}
