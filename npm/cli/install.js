// Puts devrun's program in the place of its launcher, so that no Node.js process is started for it. Where that can't
// be done, or install scripts don't run, the launcher stays and does the same.
"use strict";

const { copyFileSync, linkSync, renameSync, rmSync } = require("node:fs");
const { join } = require("node:path");
const { program } = require("./platform.js");

/** Whether this package manager links commands as they are. */
function linksCommands() {
  // Others start them through a shim that is made for node, or that would stay above the program as a shell and keep
  // signals from it: pnpm, Yarn from version 2 on, and all of them on Windows.
  const manager = process.env.npm_config_user_agent ?? "";
  return process.platform !== "win32" && /^(npm\/|yarn\/1\.|bun\/)/.test(manager);
}

function replace(launcher) {
  const staged = `${launcher}.new`;
  rmSync(staged, { force: true });
  try {
    linkSync(program(), staged);
  } catch (error) {
    if (error.code === undefined) throw error; // there is no program
    copyFileSync(program(), staged);
  }
  // Whoever starts devrun meanwhile finds the one or the other, whole.
  renameSync(staged, launcher);
}

try {
  if (linksCommands()) replace(join(__dirname, "bin", "devrun"));
} catch {
  // An installation does not fail for this: the launcher says what is missing when it is asked to run.
}
