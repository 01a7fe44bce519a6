import { caller, type ServeOptions, serve } from "@tulle/mesh-runtime/deno";
import { relayed } from "../relayed.ts";

/** Where a stand-in for Deno Deploy gives tokens, in place of `getIdToken` of `jsr:@deno/oidc`; absent: a join token is used. */
const platform = Deno.env.get("ID_TOKENS");
const vouched: ServeOptions =
  platform === undefined
    ? {}
    : { idToken: async (audience) => (await fetch(platform, { method: "POST", body: audience })).text() };

/** A relay on Deno. */
serve({ fetch: (request) => relayed(request, caller()) }, vouched);
