import { mesh } from "@tulle/mesh-runtime/cloudflare";

export default mesh({
  fetch: () => new Response("handled"),
  scheduled: () => console.log("the schedule ran"),
});
