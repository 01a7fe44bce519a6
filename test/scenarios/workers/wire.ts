/** Outside of the mesh: tells which of the mesh's headers reached it. */
export default {
  fetch: (request) =>
    Response.json(Object.fromEntries([...request.headers].filter(([name]) => name.startsWith("tulle-")))),
} satisfies ExportedHandler;
