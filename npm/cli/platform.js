// Where devrun's program for this system is: in one of the platform packages. Nothing here starts it.
"use strict";

const { existsSync } = require("node:fs");

const here = `${process.platform}-${process.arch}`;

/** The packages that would do, best first. */
function candidates() {
  const name = `@devrun/${here}`;
  if (process.platform !== "linux") return [name];
  // Not every package manager looks at `libc`, so both may be here. The musl one is static and runs everywhere, the
  // other one where glibc's loader is.
  const loader = process.arch === "arm64" ? "/lib/ld-linux-aarch64.so.1" : "/lib64/ld-linux-x86-64.so.2";
  return existsSync(loader) ? [name, `${name}-musl`] : [`${name}-musl`];
}

/** The path of the program; throws what to do if it is not installed. */
function program() {
  const file = process.platform === "win32" ? "bin/devrun.exe" : "bin/devrun";
  for (const name of candidates()) {
    try {
      return require.resolve(`${name}/${file}`);
    } catch {
      // the next one
    }
  }
  throw new Error(missing());
}

function missing() {
  const known = Object.keys(require("./package.json").optionalDependencies ?? {});
  if (!candidates().some((name) => known.includes(name))) {
    return `there is no devrun program for ${here} on npm\n\nhint: cargo install devrun`;
  }
  return (
    `devrun's program is not installed: the package ${candidates()[0]} is missing\n` +
    "cause: optional dependencies were left out, or node_modules comes from another system\n\n" +
    "hint: delete node_modules and install again, without --omit=optional (npm) or --no-optional (pnpm, yarn)"
  );
}

module.exports = { program };
