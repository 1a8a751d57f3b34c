import { createServer } from "node:http";

const port: number = Number(process.env.PORT ?? 3000);
createServer((_, response) => response.end("server.ts answers")).listen(port, "127.0.0.1");
