Bun.serve({ fetch: () => new Response("Bun.serve answers") });
