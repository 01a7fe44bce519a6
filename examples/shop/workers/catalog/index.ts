/*
 * A worker that knows nothing of the mesh: not one import. Its `wrangler.toml` puts the mesh in front of it.
 */

interface Good {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly priceCents: number;
  readonly weightGrams: number;
}

const goods: readonly Good[] = [
  {
    id: "silk",
    name: "Silk tulle",
    description: "Fine hexagonal net, soft drape. By the metre.",
    priceCents: 2_900,
    weightGrams: 20,
  },
  {
    id: "cotton",
    name: "Cotton bobbinet",
    description: "Dense and matt, the curtain maker's choice. By the metre.",
    priceCents: 1_400,
    weightGrams: 60,
  },
  {
    id: "nylon",
    name: "Nylon net",
    description: "Stiff, for petticoats and mosquito nets. By the metre.",
    priceCents: 450,
    weightGrams: 35,
  },
];

export default {
  fetch(request) {
    if (request.method !== "GET" && request.method !== "HEAD")
      return new Response("Only for reading", { status: 405 });
    const [, folder, id] = new URL(request.url).pathname.split("/");
    if (folder !== "goods") return new Response("Not in the catalog", { status: 404 });
    if (id === undefined) return Response.json(goods);
    const good = goods.find((each) => each.id === id);
    return good === undefined ? new Response("Not in the catalog", { status: 404 }) : Response.json(good);
  },
} satisfies ExportedHandler;
