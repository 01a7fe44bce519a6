/**
 * The mesh with no line of the application changed. In `wrangler.toml`, where `main` must be a path:
 *
 *     main = "node_modules/@tulle/mesh-runtime/adapters/cloudflare/entry.ts"
 *
 *     [alias]
 *     "mesh:app" = "./src/index.ts"
 *
 * Everything that the application exports stays exported under its name: Durable Objects, Workflows,
 * named entrypoints. Only its default export goes through the mesh.
 */
import app from "mesh:app";
import { mesh } from "./index.ts";

export * from "mesh:app";
export default mesh(app);
