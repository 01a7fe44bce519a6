/** Steady traffic from outside: looks at the page and the goods, and orders every second time, `perSecond` requests a second. */
export function startTraffic(
  url: string,
  perSecond: number,
  onCount: (answers: ReadonlyMap<number, number>) => void,
) {
  const answers = new Map<number, number>();
  let sent = 0;
  const send = async (): Promise<void> => {
    const status = await answered(url, sent++ % 4);
    answers.set(status, (answers.get(status) ?? 0) + 1);
  };
  const sending = setInterval(() => void send(), 1_000 / perSecond);
  const telling = setInterval(() => {
    onCount(new Map(answers));
    answers.clear();
  }, 10_000);
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
