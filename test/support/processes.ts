import { execFileSync } from "node:child_process";

export interface Process {
  readonly pid: number;
  readonly parent: number;
  /** Base name of the executable. */
  readonly name: string;
}

/** All processes below one, children before grandchildren. */
export function below(pid: number): Process[] {
  const all = execFileSync("ps", ["-eo", "pid=,ppid=,comm="], { encoding: "utf8" })
    .split("\n")
    .flatMap((line) => {
      const [, own, parent, name] = /^\s*([0-9]+)\s+([0-9]+)\s+(.+?)\s*$/.exec(line) ?? [];
      return name === undefined
        ? []
        : [{ pid: Number(own), parent: Number(parent), name: name.slice(name.lastIndexOf("/") + 1) }];
    });
  const found: Process[] = [];
  let level = [pid];
  while (level.length > 0) {
    const next = all.filter(({ parent }) => level.includes(parent));
    found.push(...next);
    level = next.map((each) => each.pid);
  }
  return found;
}

/** Whether a process runs. One that has ended and waits to be collected does not. */
export function alive(pid: number): boolean {
  try {
    const state = execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).trim();
    return state !== "" && !state.startsWith("Z");
  } catch {
    // ps exits with 1 when there is no such process.
    return false;
  }
}
