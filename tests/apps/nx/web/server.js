import { createServer } from "node:http";

createServer((_, response) => response.end("nx answers")).listen(process.env.PORT ?? 3000, "127.0.0.1");
