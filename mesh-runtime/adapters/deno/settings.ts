import type { Here, PublicJwk } from "../../index.ts";

export interface ServeOptions {
  /** Address of control. @default the variable TULLE_URL */
  readonly controlUrl?: string;
  /** `name` or `namespace/name` of the Service document. @default the variable TULLE_SERVICE */
  readonly service?: string;
  /** One-time token from `tulle identity token --service NAME`. @default the variable TULLE_JOIN_TOKEN */
  readonly joinToken?: string;
  /**
   * On Deno Deploy: `getIdToken` of `jsr:@deno/oidc`. The platform then vouches for this process, with each credential
   * anew, in place of a join token; the app has a registration entry (`tulle identity create`).
   *
   * @param audience what the token must be made for
   */
  readonly idToken?: (audience: string) => Promise<string>;
  /** Public root key of the mesh, pinned; two while the root rolls. @default the key told at the first join, and those that it says follow it, for this process's life */
  readonly rootJwk?: PublicJwk | readonly PublicJwk[];
  /** @default the variable PORT, else 8000 */
  readonly port?: number;
  /** @default the variable HOST, else "127.0.0.1": behind a proxy that ends TLS, or for a local mesh */
  readonly hostname?: string;
  /** Ends the server when it fires. */
  readonly signal?: AbortSignal;
}

export interface Settings {
  readonly controlUrl: string;
  readonly workload: string;
  readonly joinToken: string | undefined;
  readonly idToken: ((audience: string) => Promise<string>) | undefined;
  readonly rootJwks: readonly PublicJwk[] | undefined;
  /** Where this process runs, as far as anybody says. */
  readonly here: Here | undefined;
  readonly port: number;
  readonly hostname: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * Options completed from the environment. Control is asked over `https`, but for one on this machine: the join
 * token makes whoever reads it on the way this service, and the root key comes back the same way.
 *
 * @throws TypeError that says which is missing or malformed, and how to give it
 */
export function settingsOf(options: ServeOptions, variable: (name: string) => string | undefined): Settings {
  const controlUrl = options.controlUrl ?? variable("TULLE_URL");
  if (controlUrl === undefined || !URL.canParse(controlUrl)) {
    throw new TypeError(
      `serve() needs the address of control: set TULLE_URL, such as https://tulle-control.example.workers.dev`,
    );
  }
  if (!isSafe(new URL(controlUrl))) {
    throw new TypeError(
      "serve() asks control over https only, unless it is on this machine: write TULLE_URL with https://, or tunnel to 127.0.0.1",
    );
  }
  const service = options.service ?? variable("TULLE_SERVICE") ?? "";
  if (!/^[a-z0-9-]+(?:\/[a-z0-9-]+)?$/.test(service)) {
    throw new TypeError(
      `serve() needs the name of this service: set TULLE_SERVICE to name or namespace/name, found ${JSON.stringify(service)}`,
    );
  }
  const port = options.port ?? Number(variable("PORT") ?? 8_000);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new TypeError(`serve() needs a port from 0 to 65535, found ${port}`);
  }
  if (options.idToken !== undefined && options.joinToken !== undefined) {
    throw new TypeError(
      "serve() takes one evidence: a join token or idToken, by which the platform vouches, not both",
    );
  }
  return {
    controlUrl,
    workload: service.includes("/") ? service : `default/${service}`,
    joinToken:
      options.idToken === undefined ? (options.joinToken ?? variable("TULLE_JOIN_TOKEN")) : undefined,
    idToken: options.idToken,
    rootJwks: options.rootJwk === undefined ? undefined : [options.rootJwk].flat(),
    here: hereOf(variable),
    port,
    hostname: options.hostname ?? variable("HOST") ?? "127.0.0.1",
    signal: options.signal,
  };
}

/** Deno Deploy says its region in `DENO_REGION`. */
function hereOf(variable: (name: string) => string | undefined): Here | undefined {
  const region = variable("TULLE_REGION") ?? variable("DENO_REGION");
  const zone = variable("TULLE_ZONE");
  if (!region && !zone) return undefined;
  return { ...(region ? { region } : {}), ...(zone ? { zone } : {}) };
}

const isSafe = ({ protocol, hostname }: URL): boolean =>
  protocol === "https:" || (protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(hostname));
