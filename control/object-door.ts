import { DurableObject } from "cloudflare:workers";
import { base64url } from "@tulle/mesh-runtime/identity/bytes.ts";
import type { Env } from "./env.ts";

/*
 * Whoever may deploy a worker into the account can bind it to control's objects (`script_name`), and the platform does
 * not tell an object who calls. So control shows them a pass, which is made of a secret that only its own environment
 * holds, and they do nothing for who shows none.
 */

/** What of an environment passes are made of. */
type Secrets = Pick<Env, "TULLE_KEY_SECRET" | "TULLE_KEY_SECRET_PREVIOUS">;

/** The one method that can be called from outside. */
export interface Door extends DurableObject<Env> {
  /**
   * @param passes what the caller shows
   * @param method a public method of the object behind the door
   * @throws if no pass is good, or there is no such method
   */
  ask(passes: readonly string[], method: string, args: readonly unknown[]): Promise<unknown>;
}

/** The methods of an object, as they are called from afar. */
export type Asked<Behind> = {
  readonly [Method in keyof Behind as Behind[Method] extends (...args: never[]) => unknown
    ? Method
    : never]: Behind[Method] extends (...args: infer Args) => infer Answer
    ? (...args: Args) => Promise<Awaited<Answer>>
    : never;
};

type ObjectClass<Kind> = new (ctx: DurableObjectState, env: Env) => Kind;

/** How often a call without a good pass is told in the log, milliseconds: whoever tries shall not fill it. */
const toldEveryMs = 60_000;

/**
 * Puts a class of objects behind a door: nothing of it can be called but by `ask`, with a pass of this environment.
 * Without the secret TULLE_KEY_SECRET there are no passes, and everybody gets in: such a control issues nothing yet.
 */
export function behindDoor<Behind extends DurableObject<Env>>(
  name: string,
  Class: ObjectClass<Behind>,
): ObjectClass<Door> {
  return class extends DurableObject<Env> implements Door {
    readonly #behind: Behind;
    #own: readonly string[] | undefined;
    #toldAt = Number.NEGATIVE_INFINITY;

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env);
      this.#behind = new Class(ctx, env);
    }

    async ask(passes: readonly string[], method: string, args: readonly unknown[]): Promise<unknown> {
      this.#own ??= await passesOf(this.env);
      if (this.#own.length > 0 && !isGood(passes, this.#own)) {
        this.#tell(method);
        throw new Error(
          "Control's objects answer control alone: no pass of its TULLE_KEY_SECRET was shown. In the seconds after that secret was changed, try again",
        );
      }
      const work: unknown = Object.hasOwn(Class.prototype, method)
        ? Reflect.get(Class.prototype, method)
        : undefined;
      if (typeof work !== "function" || method === "constructor")
        throw new TypeError(`${name} has no method of this name: deploy control anew`);
      return Reflect.apply(work, this.#behind, args);
    }

    override alarm(alarm?: AlarmInvocationInfo): void | Promise<void> {
      return this.#behind.alarm?.(alarm);
    }

    #tell(method: string): void {
      const now = Date.now();
      if (now - this.#toldAt < toldEveryMs) return;
      this.#toldAt = now;
      console.warn(
        `control: somebody who is not control called ${name}, ${JSON.stringify(String(method).slice(0, 64))}, and was refused. Look which workers of the account bind a Durable Object with this script_name`,
      );
    }
  };
}

/** The methods of the object behind a door, called with the passes of this environment. */
export function asked<Behind>(env: Secrets, stub: unknown): Asked<Behind> {
  // A stub has whatever method one names; what its types make of ours is that nothing comes back.
  const door = stub as Pick<Door, "ask">;
  return new Proxy({} as Asked<Behind>, {
    get: (_, method) =>
      // Not `then`: it would be taken for a promise.
      typeof method === "string" && method !== "then"
        ? async (...args: unknown[]) => door.ask(await passesOf(env), method, args)
        : undefined,
  });
}

/** Passes by their secret, because they are shown with every call: one or two, more only while the secret changes. */
const made = new Map<string, string>();
const mostMade = 8;

/** The pass of the present secret, and that of the former one while it is being changed; none without a secret. */
export async function passesOf({
  TULLE_KEY_SECRET: current = "",
  TULLE_KEY_SECRET_PREVIOUS: previous = "",
}: Secrets): Promise<readonly string[]> {
  if (current === "") return [];
  return Promise.all((previous === "" ? [current] : [current, previous]).map(passOf));
}

/** HMAC-SHA-256 of a fixed text, so that whoever sees a pass has not seen the secret, which opens stored keys. */
async function passOf(secret: string): Promise<string> {
  const known = made.get(secret);
  if (known !== undefined) return known;
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["sign"]);
  const mac = await crypto.subtle.sign("HMAC", key, encoder.encode("tulle pass to control's objects v1"));
  const pass = base64url(new Uint8Array(mac));
  if (made.size >= mostMade) made.clear();
  made.set(secret, pass);
  return pass;
}

/** Whether one of the passes that are shown is one of our own, in a time that tells nothing of them. */
function isGood(shown: unknown, own: readonly string[]): boolean {
  if (!Array.isArray(shown) || shown.length > 2) return false;
  const encoder = new TextEncoder();
  let good = false;
  for (const pass of shown as readonly unknown[]) {
    for (const one of own) {
      if (typeof pass !== "string" || pass.length !== one.length) continue;
      const [left, right] = [encoder.encode(pass), encoder.encode(one)];
      if (left.byteLength === right.byteLength && crypto.subtle.timingSafeEqual(left, right)) good = true;
    }
  }
  return good;
}
