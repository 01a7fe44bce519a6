import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

/** The few calls that the demo makes to the local control as its operator. */
export interface ControlClient {
  /** The head revision; 0 before anything was applied. */
  revision(): Promise<number>;
  /** Applies every document of a folder. @throws Error that tells every issue */
  applyFolder(folder: string): Promise<void>;
  /** Writes the ports of this run into the Service documents that name others, and changes nothing else in them. */
  move(services: Readonly<Record<string, number>>): Promise<void>;
  /** A one-time token with which a workload outside of Cloudflare may join. */
  joinToken(service: string): Promise<string>;
}

interface Source {
  readonly source: string;
  readonly text: string;
}

export function controlClient(url: string, token: string): ControlClient {
  async function ask<Answer>(at: string, body?: unknown): Promise<Answer> {
    const response = await fetch(url + at, {
      method: body === undefined ? "GET" : "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = await response.text();
    if (!response.ok) throw new Error(`control answered ${response.status} to ${at}: ${answer}`);
    return JSON.parse(answer) as Answer;
  }
  const apply = (sources: readonly Source[], reason: string) => ask("/api/policies", { sources, reason });
  return {
    revision: async () => (await ask<{ revision: number }>("/api/status")).revision,
    async applyFolder(folder) {
      const sources = readdirSync(folder)
        .filter((name) => name.endsWith(".yaml"))
        .sort()
        .map((name) => ({ source: name, text: readFileSync(path.join(folder, name), "utf8") }));
      await apply(sources, "the policies of the demo");
    },
    async move(services) {
      const documents = await ask<readonly { name: string; text: string }[]>("/api/policies?kind=Service");
      const moved = documents.flatMap(({ name, text }) => {
        const port = services[name];
        const next = port === undefined ? text : text.replace(/(http:\/\/127\.0\.0\.1:)[0-9]+/g, `$1${port}`);
        return next === text ? [] : [{ source: `Service ${name}`, text: next }];
      });
      if (moved.length > 0) await apply(moved, "the ports of this run");
    },
    joinToken: async (service) => (await ask<{ token: string }>("/api/identity/tokens", { service })).token,
  };
}
