export default { fetch: () => new Response("deno answers") };
