/** The part of `node:async_hooks` that workerd offers without any compatibility flag, as far as the mesh uses it. */
declare module "node:async_hooks" {
  export class AsyncLocalStorage<Store> {
    run<Value>(store: Store, work: () => Value): Value;
    getStore(): Store | undefined;
  }
}
