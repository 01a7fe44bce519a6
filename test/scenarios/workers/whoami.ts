import { caller, endUser } from "@tulle/mesh-runtime/cloudflare";

/** Tells whom it takes its request to be from, and what it sees of it. */
export default {
  fetch: (request) =>
    Response.json({
      caller: caller()?.service,
      user: endUser()?.principal,
      url: request.url,
      headers: Object.fromEntries(request.headers),
    }),
} satisfies ExportedHandler;
