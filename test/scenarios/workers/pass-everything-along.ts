/** Passes a request on to the service that its path names first, with its query, headers and body. */
export default {
  fetch(request) {
    const { pathname, search } = new URL(request.url);
    const [, service = "", ...rest] = pathname.split("/");
    return fetch(new Request(`http://${service}/${rest.join("/")}${search}`, request));
  },
} satisfies ExportedHandler;
