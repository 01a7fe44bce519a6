/** How often the answers are told, milliseconds. */
export const tellEveryMs = 5_000;
/** Beats a second. Each sends what is due by then, so that a busy machine sends as much as an idle one. */
const beatsPerSecond = 20;
/** How far requests may be behind, and how many may be under way: seconds' worth. The rest is left out. */
const patienceSeconds = 1;

/**
 * Steady traffic from outside: looks at the page and the goods, and orders; in turns, `perSecond` requests a second.
 * @param onCount is told every {@link tellEveryMs} how many answers had which status; 0 is no answer
 * @returns what ends it
 */
export function startTraffic(
  url: string,
  perSecond: number,
  onCount: (answers: ReadonlyMap<number, number>) => void,
): () => void {
  const answers = new Map<number, number>();
  const most = patienceSeconds * perSecond;
  const begun = performance.now();
  let turn = 0;
  let sent = 0;
  let underWay = 0;
  const send = async (): Promise<void> => {
    underWay++;
    const status = await answered(url, turn++ % 4);
    underWay--;
    answers.set(status, (answers.get(status) ?? 0) + 1);
  };
  const sending = setInterval(() => {
    const due = Math.floor(((performance.now() - begun) * perSecond) / 1_000);
    for (sent = Math.max(sent, due - most); sent < due; sent++) if (underWay < most) void send();
  }, 1_000 / beatsPerSecond);
  const telling = setInterval(() => {
    onCount(new Map(answers));
    answers.clear();
  }, tellEveryMs);
  return () => {
    clearInterval(sending);
    clearInterval(telling);
  };
}

/** Status of one request; 0 where there was no answer. */
async function answered(url: string, turn: number): Promise<number> {
  const [path, method] = (
    [
      ["/", "GET"],
      ["/api/orders", "POST"],
      ["/api/goods", "GET"],
      ["/api/orders", "POST"],
    ] as const
  )[turn] ?? ["/", "GET"];
  try {
    const response = await fetch(url + path, { method });
    await response.body?.cancel();
    return response.status;
  } catch {
    // No answer at all is what status 0 tells.
    return 0;
  }
}
