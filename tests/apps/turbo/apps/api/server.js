const port = process.env.API_PORT ?? 3901;

require("node:http")
  .createServer((request, response) => response.end("api answers"))
  .listen(port, () => console.log(`api on ${port}`));
