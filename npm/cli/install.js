// Puts devrun's program in the place of its launcher, so that no Node.js process is started for it. Where that can't
// be done, or install scripts don't run, the launcher stays and does the same.
"use strict";

const { copyFileSync, linkSync, renameSync, rmSync } = require("node:fs");
const { join } = require("node:path");
const { program } = require("./platform.js");

/** Whether the command is started as a file: not through a shim that hands it to node. */
function startedAsFile() {
  const manager = process.env.npm_config_user_agent ?? "";
  // Yarn from version 2 on runs the commands of packages with node.
  return process.platform !== "win32" && !/^yarn\/(?!1\.)/.test(manager);
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
  if (startedAsFile()) replace(join(__dirname, "bin", "devrun"));
} catch {
  // An installation does not fail for this: the launcher says what is missing when it is asked to run.
}
