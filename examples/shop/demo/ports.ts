import { createServer } from "node:net";

/** Fails with a sentence for the user when one of the ports is taken. `option` is how to choose another. */
export async function assertFree(
  ports: readonly { readonly port: number; readonly option: string }[],
): Promise<void> {
  for (const { port, option } of ports) {
    if (await taken(port)) {
      const other = port > 65_000 ? port - 100 : port + 100;
      throw new Error(
        `Port ${port} is in use. Stop what uses it, or choose another: npm start -- ${option} ${other}`,
      );
    }
  }
}

function taken(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(true) : reject(error),
    );
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(false)));
  });
}
