// Installs the packed npm packages on this system as a user would, and runs a server with them.
//
//   node npm/smoke.mjs FOLDER      the folder of tarballs that npm/pack.mjs has filled
//
// For systems on which the tests of tests/it don't run: it shows that the package installs, starts, says when it is
// ready, stops without leaving anything, and hands on an exit status.
import assert from "node:assert/strict";
import { execSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const folder = resolve(process.argv[2]);
const tarballs = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
const here = new RegExp(`^devrun-(cli|${process.platform}-${process.arch})-[0-9]`);
const wanted = tarballs.filter((name) => here.test(name)).map((name) => JSON.stringify(join(folder, name)));
assert.equal(wanted.length, 2, `packages for ${process.platform}-${process.arch} in ${tarballs}`);

const project = mkdtempSync(join(tmpdir(), "devrun-smoke-"));
try {
  process.env.DEVRUN_STATE_DIR = join(project, "state");
  process.chdir(project);
  writeFileSync("package.json", '{ "name": "smoke", "scripts": { "ends": "devrun -- node ends.js" } }');
  writeFileSync("server.js", 'require("http").createServer((_, r) => r.end("here")).listen(process.env.PORT);');
  writeFileSync("ends.js", "process.exit(7);");
  execSync(`npm install --no-audit --no-fund ${wanted.join(" ")}`, { stdio: "inherit" });

  const { start } = createRequire(join(project, "package.json"))("@devrun/cli");
  const server = await start(["node", "server.js"], { readyTimeout: "60s" });
  assert.equal(await (await fetch(server.url)).text(), "here");
  await server.stop();
  assert.equal(await fetch(server.url).catch(() => "gone"), "gone");

  const ended = spawnSync("npm run ends", { shell: true, encoding: "utf8" });
  assert.equal(ended.status, 7, `${ended.stdout}${ended.stderr}`);
  console.log(`ok: ${server.url} answered and is gone, status 7 was handed on`);
} finally {
  rmSync(project, { recursive: true, force: true, maxRetries: 5 });
}
