// A dev server without dependencies: one page that shows which port it was given.
const http = require("node:http");

const port = Number(process.env.PORT ?? 3000);
const host = process.env.HOST ?? "127.0.0.1";
const started = Date.now();

const page = () => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>hello on ${port}</title>
<style>
  :root { color-scheme: light dark }
  body { font: 18px/1.5 system-ui, sans-serif; display: grid; place-content: center; min-height: 90vh }
  h1 { font-size: 4rem; margin: 0; font-variant-numeric: tabular-nums }
  p { margin: .2em 0; opacity: .8 }
</style>
<h1>:${port}</h1>
<p>This server asked for no port in particular: it took <code>PORT</code> from its environment.</p>
<p>Process ${process.pid}, up for ${Math.round((Date.now() - started) / 1000)} s. Start it again: the port stays.</p>
</html>
`;

http
  .createServer((request, response) => {
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(page());
  })
  .listen(port, host, () => console.log(`hello listens on http://${host}:${port}`));
