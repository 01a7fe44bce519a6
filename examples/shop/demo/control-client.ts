import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

/** The few calls that the demo makes to the local control as its operator. */
export interface ControlClient {
  /** The head revision; 0 before anything was applied. */
  revision(): Promise<number>;
  /** Applies every document of a folder. @throws Error that tells every issue */
  applyFolder(folder: string): Promise<void>;
  /** A one-time token with which a workload outside of Cloudflare may join. */
  joinToken(service: string): Promise<string>;
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
  return {
    revision: async () => (await ask<{ revision: number }>("/api/status")).revision,
    async applyFolder(folder) {
      const sources = readdirSync(folder)
        .filter((name) => name.endsWith(".yaml"))
        .sort()
        .map((name) => ({ source: name, text: readFileSync(path.join(folder, name), "utf8") }));
      await ask("/api/policies", { sources, reason: "the policies of the demo" });
    },
    joinToken: async (service) => (await ask<{ token: string }>("/api/identity/tokens", { service })).token,
  };
}
