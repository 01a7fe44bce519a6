/** Outside of the mesh: tells every header that reached it. */
export default {
  fetch: (request) => Response.json(Object.fromEntries([...request.headers])),
} satisfies ExportedHandler;
