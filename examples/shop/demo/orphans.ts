import { execFileSync, spawn } from "node:child_process";

/**
 * Kills only what still is what it was, because a number may have been given to another process meanwhile, and ends
 * when they have.
 */
const waitAndKill = `
  read children
  cat
  for child in $children; do
    while case "$(ps -o comm= -o stat= -p "$child")" in
      *' Z'*) false ;;
      *workerd* | *deno*) kill -9 "$child" ;;
      *) false ;;
    esac; do sleep 0.1; done
  done`;

/**
 * Ends this process's children even if it is killed outright (SIGKILL), when it can do nothing any more: workerd
 * and Deno would live on and keep the ports. A shell waits at the end of a pipe that nobody but us writes to; the
 * pipe closes when we are gone, however that came about. On Windows there is no such shell, and nothing is done.
 */
export function endChildrenWithUs(): void {
  if (process.platform === "win32") return;
  const children = execFileSync("ps", ["-eo", "pid=,ppid=,comm="], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, parent, name = ""]) => parent === String(process.pid) && /workerd$|deno$/.test(name))
    .map(([pid]) => pid);
  // A group of its own: Ctrl-C reaches everything in ours, and it has to outlive us.
  const warden = spawn("sh", ["-c", waitAndKill], {
    stdio: ["pipe", "inherit", "ignore"],
    detached: true,
  });
  // Without a warden the demo runs as well.
  warden.on("error", () => undefined);
  warden.stdin.on("error", () => undefined);
  warden.stdin.write(`${children.join(" ")}\n`);
  warden.unref();
}

/** How often we look whether npm is still there, milliseconds. */
const lookEveryMs = 1_000;

/**
 * Tells when the npm that has started us is gone: it passes signals on to the shell between it and us, and the shell
 * keeps them to itself. Without npm nothing is told.
 */
export function whenNpmIsGone(tell: () => void): void {
  if (process.env.npm_lifecycle_event === undefined || process.platform === "win32") return;
  const parent = execFileSync("ps", ["-o", "ppid=", "-p", String(process.ppid)], { encoding: "utf8" });
  const npm = Number(parent);
  if (!(npm > 1)) return;
  const look = (): void => {
    try {
      process.kill(npm, 0);
    } catch {
      // No such process.
      tell();
    }
  };
  setInterval(look, lookEveryMs).unref();
}
