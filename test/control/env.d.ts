import type { Env as ControlEnv } from "../../control/env.ts";

declare global {
  namespace Cloudflare {
    interface Env extends ControlEnv {}
    interface GlobalProps {
      mainModule: typeof import("../../control/index.ts");
    }
  }
}
