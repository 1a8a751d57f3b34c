/** What can be asked of a server. */
export interface Options {
  /** Run as if started there. Default: the current folder. */
  cwd?: string;
  /** Variables added to the environment of this process. */
  env?: Record<string, string>;
  /** The server's name. Default: the project's. */
  name?: string;
  /** The port it should have. Default: the project's own. */
  port?: number;
  /** When it counts as ready: a URL, a path, `tcp`, `log:REGEX`. Default: `/` answers. */
  ready?: string;
  /** How long that may take: `30s`, `2m`. Default: as long as it takes. */
  readyTimeout?: string;
  /** Where the server's output goes. Default: `ignore`. An error quotes the end of its stderr in either case. */
  output?: "ignore" | "inherit";
  /** More of devrun's options, as on the command line. */
  args?: readonly string[];
}

/** A server that answers. It ends with this process, however that ends. */
export interface Server {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Ends the server; resolves when none of its processes is left. May be called again. */
  stop(): Promise<void>;
}

/**
 * Starts a dev server on a free port; resolves once it answers, rejects if it ends before.
 *
 * Without a command it is the project's own: the `dev` script of package.json, else `cargo run`.
 */
export function start(command?: readonly string[], options?: Options): Promise<Server>;
