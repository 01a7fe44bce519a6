interface Env {
  /** How long this worker takes before it passes anything on, milliseconds. */
  readonly DELAY?: string;
}

/**
 * Passes a request on along the services that its path names, `/b/c`. With `?patience=50` it gives up after so many
 * milliseconds, as a caller does that goes away, and answers 499.
 */
export default {
  async fetch(request, { DELAY = "0" }) {
    const { pathname, searchParams } = new URL(request.url);
    const [first = "", ...rest] = pathname.split("/").filter((name) => name !== "");
    const patience = searchParams.get("patience");
    if (DELAY !== "0") await scheduler.wait(Number(DELAY));
    const leaving = new AbortController();
    const answer = fetch(`http://${first}/${rest.join("/")}`, { signal: leaving.signal });
    if (patience === null) return answer;
    const left = scheduler.wait(Number(patience)).then(() => {
      leaving.abort(new Error("gave up"));
      return new Response("gave up", { status: 499 });
    });
    return Promise.race([answer.catch(() => left), left]);
  },
} satisfies ExportedHandler<Env>;
