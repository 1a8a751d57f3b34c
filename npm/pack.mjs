// Packs the npm packages from built programs: `@devrun/cli` and one package for each target.
//
//   node npm/pack.mjs OUT TARGET=PROGRAM...      TARGET is Rust's name of it; VERSION is that of Cargo.toml
//
// OUT gets a folder and a tarball for each package; publish the tarballs, `devrun-cli` last. Needs npm, nothing else.
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);

const PACKAGES = {
  "x86_64-unknown-linux-gnu": { name: "linux-x64", os: "linux", cpu: "x64", libc: "glibc" },
  "x86_64-unknown-linux-musl": { name: "linux-x64-musl", os: "linux", cpu: "x64", libc: "musl" },
  "aarch64-unknown-linux-gnu": { name: "linux-arm64", os: "linux", cpu: "arm64", libc: "glibc" },
  "aarch64-unknown-linux-musl": { name: "linux-arm64-musl", os: "linux", cpu: "arm64", libc: "musl" },
  "x86_64-apple-darwin": { name: "darwin-x64", os: "darwin", cpu: "x64" },
  "aarch64-apple-darwin": { name: "darwin-arm64", os: "darwin", cpu: "arm64" },
  "x86_64-pc-windows-gnu": { name: "win32-x64", os: "win32", cpu: "x64" },
  "x86_64-pc-windows-msvc": { name: "win32-x64", os: "win32", cpu: "x64" },
  "aarch64-pc-windows-msvc": { name: "win32-arm64", os: "win32", cpu: "arm64" },
};

const version = /^version = "(.+)"$/m.exec(readFileSync(join(root, "Cargo.toml"), "utf8"))[1];

function write(path, value) {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}

/** An empty folder with the license, for one package. */
function folder(out, name) {
  const path = join(out, name);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(join(path, "bin"), { recursive: true });
  copyFileSync(join(root, "LICENSE"), join(path, "LICENSE"));
  return path;
}

function platform(out, target, program) {
  const { name, os, cpu, libc } = PACKAGES[target] ?? fail(`no npm package for the target ${target}`);
  const path = folder(out, name);
  const file = join(path, "bin", os === "win32" ? "devrun.exe" : "devrun");
  copyFileSync(program, file);
  chmodSync(file, 0o755);
  write(join(path, "package.json"), {
    name: `@devrun/${name}`,
    version,
    description: `devrun's program for ${target}. Install @devrun/cli instead.`,
    license: "MIT",
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
    files: ["bin"],
    // A program in an archive can't be started.
    preferUnplugged: true,
  });
  return name;
}

function cli(out, platforms) {
  const path = folder(out, "cli");
  cpSync(join(here, "cli"), path, { recursive: true });
  chmodSync(join(path, "bin", "devrun"), 0o755);
  const manifest = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
  const optionalDependencies = Object.fromEntries(platforms.map((name) => [`@devrun/${name}`, version]));
  write(join(path, "package.json"), { ...manifest, version, optionalDependencies });
  return "cli";
}

function fail(text) {
  console.error(`error: ${text}`);
  process.exit(1);
}

const [out, ...pairs] = process.argv.slice(2);
if (!out || pairs.length === 0) fail("usage: node npm/pack.mjs OUT TARGET=PROGRAM...");
const platforms = pairs.map((pair) => {
  const [target, program] = pair.split("=");
  return platform(out, target, program ?? fail(`${pair}: TARGET=PROGRAM is wanted`));
});
if (new Set(platforms).size !== platforms.length) fail(`two programs for one package: ${platforms.join(" ")}`);
const folders = [...platforms, cli(out, platforms)].map((name) => join(resolve(out), name));
const windows = process.platform === "win32";
const args = ["pack", "--loglevel=error", "--ignore-scripts", "--pack-destination", resolve(out), ...folders];
execFileSync(windows ? "npm.cmd" : "npm", args, { stdio: ["ignore", "inherit", "inherit"], shell: windows });
