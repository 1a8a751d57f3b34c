import { createServer } from "node:http";

createServer((_, response) => response.end("server.js answers")).listen(process.env.PORT ?? 3000, "127.0.0.1");
