import { env as importedEnv } from "cloudflare:workers";
import { caller } from "@tulle/mesh-runtime/cloudflare";

interface Env {
  readonly TELLER: Fetcher;
}

const atStart = caller();
let heardOnSchedule = "nothing yet";

/** Calls the teller in every way that an application has. It is an instance: its handlers are inherited. */
class Resident {
  async fetch(request: Request, env: Env): Promise<Response> {
    const url = new URL(request.url);
    const to = url.searchParams.get("to") ?? "";
    switch (url.pathname) {
      case "/by-env":
        return env.TELLER.fetch(`http://teller${to}`, { method: url.searchParams.get("method") ?? "GET" });
      case "/by-imported-env":
        return (importedEnv as unknown as Env).TELLER.fetch("http://teller/");
      case "/by-url":
        return fetch(to, { headers: { authorization: "Bearer of-the-application", "x-app": "1" } });
      case "/by-request":
        return fetch(new Request(to, { method: "POST", body: "by request" }));
      case "/at-start":
        return Response.json([atStart === undefined, caller()?.service]);
      case "/on-schedule":
        return Response.json(heardOnSchedule);
      default:
        return new Response("here");
    }
  }

  async scheduled(_event: ScheduledController, env: Env): Promise<void> {
    const known = caller() === undefined ? "nobody calls" : "somebody calls";
    heardOnSchedule = `${known}; ${await (await env.TELLER.fetch("http://teller/")).text()}`;
  }
}

export default new Resident();
