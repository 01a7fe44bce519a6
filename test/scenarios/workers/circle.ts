interface Env {
  readonly NEXT: string;
}

/** Asks the next service for its answer, whatever it is asked. */
export default {
  fetch: (_request, { NEXT }) => fetch(`http://${NEXT}/`),
} satisfies ExportedHandler<Env>;
