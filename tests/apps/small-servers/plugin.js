export default async (app, options) => app.get("/", async () => "fastify answers");
