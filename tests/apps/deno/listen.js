Deno.serve(() => new Response("Deno.serve answers"));
