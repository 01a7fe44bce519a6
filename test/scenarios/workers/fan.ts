/** Calls `last` three times at once, and answers the worst of the answers. */
export default {
  async fetch() {
    const answers = await Promise.all([1, 2, 3].map((call) => fetch(`http://last/${call}`)));
    return answers.find(({ ok }) => !ok) ?? new Response("all well");
  },
} satisfies ExportedHandler;
