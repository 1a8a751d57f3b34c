// Starts a dev server under devrun, for test set-ups and scripts.
"use strict";

const { spawn } = require("node:child_process");
const { createInterface } = require("node:readline");
const { program } = require("./platform.js");

/** Lines of stderr that an error quotes. */
const QUOTED = 20;

/** Starts the command; resolves once it answers. */
async function start(command = [], options = {}) {
  const { cwd, env, name, port, ready, readyTimeout, output = "ignore", args = [] } = options;
  const given = { name, port, ready, "ready-timeout": readyTimeout };
  const wishes = Object.entries(given).flatMap(([key, value]) => (value === undefined ? [] : [`--${key}`, `${value}`]));
  const child = spawn(program(), ["--json", ...wishes, ...args, "--", ...command], {
    cwd,
    // What the project's files say of the background was not meant for a server that ends with this process, and
    // without devrun (DEVRUN=0) nobody would say when it answers.
    env: { ...process.env, ...env, DEVRUN_DETACH: "0", DEVRUN: "" },
    // A stdin that stays open: some servers end with it.
    stdio: ["pipe", output, "pipe"],
    windowsHide: true,
  });
  const ended = new Promise((resolve) => {
    child.on("error", () => resolve());
    child.on("close", () => resolve());
  });
  const server = await answering(child, output);
  const handles = [child, child.stdin, child.stdout, child.stderr];
  // The server does not keep this process alive, and ends with it.
  for (const handle of handles) handle?.unref();
  return {
    ...server,
    stop() {
      for (const handle of handles) handle?.ref();
      child.kill("SIGTERM");
      return ended;
    },
  };
}

/** Resolves with where the server answers; rejects with what devrun and the command said if it ends before. */
function answering(child, output) {
  return new Promise((resolve, reject) => {
    const said = [];
    let failure;
    let running;
    createInterface({ input: child.stderr }).on("line", (line) => {
      const event = parse(line);
      if (event === undefined) {
        said.push(line);
        if (output === "inherit") console.error(line);
      }
      if (said.length > QUOTED) said.shift();
      if (event?.event === "ready") resolve({ url: event.url, port: event.port, pid: event.pid });
      if (event?.event === "already-running") running = event;
      if (event?.event === "error") failure = event;
    });
    child.on("error", reject);
    child.on("close", (status, signal) => {
      if (status === 0 && running) {
        // Another devrun's server of this project: used as it is, and left running.
        resolve({ url: running.url, port: Number(new URL(running.url).port), pid: running.pid });
      }
      const why = failure?.error ?? `devrun ended before the server answered (${signal ?? `status ${status}`})`;
      const more = [failure?.cause, failure?.hint && `hint: ${failure.hint}`, ...said].filter(Boolean);
      reject(new Error([why, ...more].join("\n")));
    });
  });
}

/** What devrun says; the command may log JSON, too. */
const EVENTS = new Set(
  ("note warning ghosts-ended port-busy already-running started waiting moved retrying restarting gave-up unhealthy " +
    "healthy ready leader-left then-started then-ended stopping ended error").split(" "),
);

/** One of devrun's own lines. */
function parse(line) {
  if (!line.startsWith("{")) return undefined;
  try {
    const event = JSON.parse(line);
    const leads = event.event === "ready" || event.event === "already-running";
    return EVENTS.has(event.event) && (!leads || typeof event.url === "string") ? event : undefined;
  } catch {
    return undefined;
  }
}

exports.start = start;
