const port = process.env.PORT ?? 3900;

require("node:http")
  .createServer((request, response) => response.end("web answers"))
  .listen(port, () => console.log(`web on ${port}`));
