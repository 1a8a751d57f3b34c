// node server.js NAME VARIABLE DEFAULT: answers with its name on the port in VARIABLE.
const [name, variable, fallback] = process.argv.slice(2);
const port = process.env[variable] ?? fallback;

require("node:http")
  .createServer((request, response) => response.end(`${name} answers`))
  .listen(port, () => console.log(`${name} on ${port}`));
