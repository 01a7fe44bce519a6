/** The application's own entry module, named by `[alias]` in `wrangler.toml`. */
declare module "mesh:app" {
  const app: ExportedHandler<object>;
  export default app;
}
