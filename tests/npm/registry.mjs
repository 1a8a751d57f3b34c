// An npm registry of the packages that npm/pack.mjs has packed: `node registry.mjs FOLDER` prints its address.
// So the tests install by name, as a user does, and the package managers choose among the platform packages.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

const folder = process.argv[2];

const manifests = new Map(
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => JSON.parse(readFileSync(join(folder, entry.name, "package.json"), "utf8")))
    .map((manifest) => [manifest.name, manifest]),
);

const tarball = ({ name, version }) => `${name.slice(1).replace("/", "-")}-${version}.tgz`;

function described(manifest) {
  const { name, version } = manifest;
  const integrity = `sha512-${createHash("sha512").update(readFileSync(join(folder, tarball(manifest)))).digest("base64")}`;
  const dist = { tarball: `${address}/files/${tarball(manifest)}`, integrity };
  const hasInstallScript = manifest.scripts?.postinstall !== undefined;
  const versions = { [version]: { ...manifest, hasInstallScript, dist } };
  return { name, "dist-tags": { latest: version }, versions, time: { [version]: "2020-01-01T00:00:00Z" } };
}

const server = createServer((request, response) => {
  const path = decodeURIComponent(request.url.slice(1));
  const manifest = manifests.get(path);
  if (manifest) {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(described(manifest)));
  } else if (path.startsWith("files/") && !path.includes("..")) {
    response.end(readFileSync(join(folder, path.slice("files/".length))));
  } else {
    response.writeHead(404).end("{}");
  }
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const address = `http://127.0.0.1:${server.address().port}`;
console.log(address);
