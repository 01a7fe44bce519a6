import { createServer } from "node:net";

/** Fails with a sentence for the user when one of the ports is taken. `option` is how to choose another. */
export async function assertFree(
  ports: readonly { readonly port: number; readonly option: string }[],
): Promise<void> {
  for (const { port, option } of ports) {
    if (await taken(port)) {
      throw new Error(
        `Port ${port} is in use. Stop what uses it, or choose another: npm start -- ${option} ${port + 100}`,
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
