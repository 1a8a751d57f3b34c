const port = process.env.PORT ?? 3900;

require("node:http")
  .createServer((request, response) => response.end("nodemon answers"))
  .listen(port, () => console.log(`nodemon's server on ${port}`));
