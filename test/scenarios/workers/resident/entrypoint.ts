import { WorkerEntrypoint } from "cloudflare:workers";

interface Env {
  readonly TELLER: Fetcher;
}

let heardOnSchedule = "nothing yet";

/** An entrypoint whose handlers are fields of each instance, which the runtime finds before inherited ones. */
export default class Entrypoint extends WorkerEntrypoint<Env> {
  override fetch = async (request: Request): Promise<Response> =>
    Response.json([new URL(request.url).pathname, heardOnSchedule]);

  override async scheduled(): Promise<void> {
    heardOnSchedule = await (await this.env.TELLER.fetch("http://teller/")).text();
  }
}
