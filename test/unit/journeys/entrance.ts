import { Fields } from "../../../mesh-runtime/foundation/fields.ts";
import { generateKeys } from "../../../mesh-runtime/identity/credential.ts";
import type { Credential } from "../../../mesh-runtime/identity/words.ts";
import { outbound } from "../../../mesh-runtime/outbound.ts";
import { canonicalJson, digestOf } from "../../../mesh-runtime/policy/canonical.ts";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import { meshTraffic } from "../../../mesh-runtime/policy/defaults.ts";
import { load } from "../../../mesh-runtime/policy/load.ts";
import { entering } from "../../../mesh-runtime/routing/listeners.ts";
import { now, value } from "../identity/fixture.ts";
import { type Users, users } from "../identity/users.ts";
import { documents } from "../policy/writing.ts";
import { quietPorts } from "./quiet-ports.ts";

/** What became of a request from outside. */
export interface Entered {
  readonly response: Response;
  /** What reached the service behind; absent when nothing did. */
  readonly sent: Request | undefined;
}

/** The worker `default/gateway` with documents in force, as requests from outside meet it. */
export async function entrance(...texts: readonly string[]): Promise<{
  readonly users: Users;
  enter(request: Request): Promise<Entered>;
}> {
  const text = canonicalJson(compile(documents(...texts)).get("default/gateway"));
  const head = { epoch: 1, digest: await digestOf(text) };
  const loaded = value(await load(text, head, "default/gateway"));
  const known = users();
  const { clock } = known;
  const keys = await generateKeys();
  const times = { issuedAt: now, expiresAt: now + 3_600_000, renewAt: now + 1_800_000 };
  const credential: Credential = { id: loaded.self, wit: "e30.e30.e30", ...keys, ...times };
  let sent: Request | undefined;
  const journey = outbound(
    quietPorts(loaded, {
      clock,
      users: known.ports,
      credential: () => credential,
      transport: {
        send: async (_endpoint, request) => {
          sent = request;
          return new Response("served");
        },
        vouchesFor: () => true,
      },
    }),
  );
  return {
    users: known,
    async enter(request) {
      sent = undefined;
      const url = new URL(request.url);
      const target = entering(loaded.listenerFor, url);
      if (target === undefined) throw new Error(`no listener has ${url.host}`);
      const response = await journey({
        message: { url, method: request.method, headers: new Fields(request.headers), body: null },
        signal: undefined,
        cause: undefined,
        startedAt: now,
        background: { run: () => undefined },
        target,
        traffic: meshTraffic,
        policy: loaded,
        entry: loaded.entry,
        entryUsers: loaded.entryUsers,
      });
      return { response, sent };
    },
  };
}
