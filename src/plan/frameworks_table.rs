//! The dev servers that devrun knows: data only, no logic. To add one, add a line.
//!
//! A server that takes its port from `PORT` needs a line only for its default port (never given to others
//! unasked, and what others in a script may wait for) or for a port flag other than `--port`. `{port}` and `{host}` are filled in. `add` is for servers that
//! ignore the environment; `env` names variables of their own.

use super::frameworks::{Server, server, several};

const VITE: &[&str] = &["dev", "serve", "preview"];

#[rustfmt::skip]
pub(super) const TABLE: &[Server] = &[
    // Vite and what is built on it. Bare, it listens on one loopback only and silently moves to the next port.
    server(&["vite"]).verbs(VITE).unless(&["build", "optimize", "test", "lint", "fmt", "check", "install"]).add("--port {port}").strict("--strictPort").host("--host {host}").default_port(5173),
    // Bare, it asks which of its commands to run.
    server(&["vp"]).verbs(VITE).add("--port {port}").strict("--strictPort").host("--host {host}").default_port(5173),
    server(&["vitepress"]).verbs(&["dev", "preview", "serve"]).add("--port {port}").strict("--strictPort").host("--host {host}").default_port(5173),
    server(&["react-router"]).verbs(&["dev"]).add("--port {port}").strict("--strictPort").host("--host {host}").default_port(5173),
    server(&["remix"]).verbs(&["vite:dev"]).add("--port {port}").strict("--strictPort").host("--host {host}").default_port(5173),
    server(&["electron-vite"]).default_port(5173),
    server(&["astro"]).verbs(&["dev", "start", "preview"]).add("--port {port}").host("--host {host}").env(&[("ASTRO_DEV_BACKGROUND", "1")]).private_env().default_port(4321),
    // JavaScript servers that read PORT.
    server(&["next"]).verbs(&["dev", "start"]).unless(&["build", "lint", "info", "telemetry", "typegen", "upgrade", "experimental-analyze"]).port_flags(&["--port", "-p"]).default_port(3000),
    server(&["nuxt", "nuxi"]).verbs(&["dev"]).env(&[("NUXT_PORT", "{port}"), ("NITRO_PORT", "{port}"), ("HOST", "{host}")]).default_port(3000),
    server(&["vinxi"]).verbs(&["dev"]).env(&[("HOST", "{host}")]).default_port(3000),
    server(&["vue-cli-service"]).verbs(&["serve"]).env(&[("HOST", "{host}")]).default_port(8080),
    server(&["react-scripts"]).verbs(&["start"]).port_flags(&[]).env(&[("HOST", "{host}")]).default_port(3000),
    server(&["parcel"]).unless(&["build", "watch", "help"]).port_flags(&["--port", "-p"]).default_port(1234),
    server(&["gatsby"]).verbs(&["develop"]).port_flags(&["--port", "-p"]).default_port(8000),
    server(&["docusaurus"]).verbs(&["start"]).port_flags(&["--port", "-p"]).default_port(3000),
    server(&["ember"]).verbs(&["serve", "server", "s"]).port_flags(&["--port", "-p"]).default_port(4200),
    server(&["fastify"]).verbs(&["start"]).port_flags(&["--port", "-p"]).env(&[("FASTIFY_PORT", "{port}")]).default_port(3000),
    server(&["http-server"]).port_flags(&["--port", "-p"]).default_port(8080),
    server(&["serve"]).port_flags(&["--listen", "-l", "-p"]).default_port(3000),
    server(&["live-server"]).default_port(8080),
    server(&["sirv"]).port_flags(&["--port", "-p"]).env(&[("HOST", "{host}")]).default_port(8080),
    // Angular since 20 lets PORT win over --port, before it reads --port only: it gets both.
    server(&["ng"]).verbs(&["serve", "s", "dev"]).add("--port {port}").host("--host {host}").default_port(4200),
    // JavaScript servers that ignore PORT.
    server(&["webpack"]).verbs(&["serve", "server", "s"]).add("--port {port}").host("--host {host}").env(&[("WEBPACK_DEV_SERVER_BASE_PORT", "{port}")]).default_port(8080),
    server(&["webpack-dev-server"]).add("--port {port}").host("--host {host}").default_port(8080),
    server(&["rspack"]).verbs(&["dev", "serve", "server", "s"]).add("--port {port}").host("--host {host}").default_port(8080),
    server(&["rsbuild"]).verbs(&["dev", "preview"]).add("--port {port}").host("--host {host}").default_port(3000),
    server(&["storybook"]).verbs(&["dev"]).port_flags(&["--port", "-p"]).env(&[("SBCONFIG_PORT", "{port}")]).default_port(6006),
    server(&["expo"]).verbs(&["start"]).port_flags(&["--port", "-p"]).env(&[("RCT_METRO_PORT", "{port}")]).default_port(8081),
    server(&["wrangler"]).verbs(&["dev", "pages dev"]).add("--port {port}").host("--ip {host}").default_port(8787),
    server(&["eleventy"]).switch("--serve").add("--port={port}").default_port(8080),
    server(&["json-server"]).port_flags(&["--port", "-p"]).add("--port {port}").default_port(3000),
    server(&["browser-sync"]).verbs(&["start"]).add("--port {port}").default_port(3000),
    server(&["wds", "web-dev-server"]).port_flags(&["--port", "-p"]).add("--port {port}").default_port(8000),
    server(&["esbuild"]).switch("--serve").port_flags(&["--serve"]).add("--serve={host}:{port}").in_place_only().default_port(8000),
    server(&["esbuild"]).switch("--servedir").port_flags(&["--serve"]).add("--serve={host}:{port}").in_place_only().default_port(8000),
    server(&["bun"]).runs_files().unless(&["add", "a", "build", "create", "c", "init", "install", "i", "link", "patch", "pm", "publish", "remove", "rm", "test", "update", "x"]).port_flags(&["--port"]).env(&[("BUN_PORT", "{port}")]).default_port(3000),
    // `deno serve` with DENO_SERVE_ADDRESS exits 1, and ignores a flag after the file.
    server(&["deno"]).verbs(&["serve"]).add("--port {port}").host("--host {host}").in_place_only().default_port(8000),
    server(&["deno"]).verbs(&["run"]).port_flags(&[]).env(&[("DENO_SERVE_ADDRESS", "tcp:{host}:{port}")]).private_env(),
    // Python.
    server(&["http.server"]).positional().port_flags(&[]).add("{port}").host("--bind {host}").default_port(8000),
    server(&["flask"]).verbs(&["run"]).port_flags(&["--port", "-p"]).env(&[("FLASK_RUN_PORT", "{port}")]).default_port(5000),
    server(&["manage.py", "django", "django-admin"]).verbs(&["runserver"]).positional().port_flags(&[]).add("{host}:{port}").default_port(8000),
    server(&["uvicorn"]).env(&[("UVICORN_PORT", "{port}")]).default_port(8000),
    server(&["fastapi"]).verbs(&["dev", "run"]).default_port(8000),
    // With PORT alone gunicorn listens on every interface.
    server(&["gunicorn"]).port_flags(&["--bind", "-b"]).env(&[("GUNICORN_CMD_ARGS", "--bind={host}:{port}")]).default_port(8000),
    server(&["hypercorn"]).port_flags(&["--bind", "-b"]).add("-b {host}:{port}").default_port(8000),
    server(&["litestar"]).verbs(&["run"]).port_flags(&["--port", "-p"]).env(&[("LITESTAR_PORT", "{port}")]).default_port(8000),
    server(&["quart"]).verbs(&["run"]).port_flags(&["--port", "-p"]).add("--port {port}").default_port(5000),
    server(&["sanic"]).port_flags(&["--port", "-p"]).add("--port {port}").default_port(8000),
    server(&["mkdocs"]).verbs(&["serve"]).port_flags(&["--dev-addr", "-a"]).add("-a {host}:{port}").default_port(8000),
    server(&["sphinx-autobuild", "sphinx_autobuild"]).add("--port {port}").default_port(8000),
    server(&["streamlit"]).verbs(&["run"]).port_flags(&["--server.port"]).env(&[("STREAMLIT_SERVER_PORT", "{port}"), ("STREAMLIT_SERVER_ADDRESS", "{host}")]).default_port(8501),
    server(&["jupyter"]).verbs(&["lab", "notebook"]).env(&[("JUPYTER_PORT", "{port}")]).default_port(8888),
    server(&["jupyter-lab", "jupyter-notebook"]).env(&[("JUPYTER_PORT", "{port}")]).default_port(8888),
    server(&["marimo"]).verbs(&["edit", "run"]).port_flags(&["--port", "-p"]).add("--port {port}").default_port(2718),
    server(&["reflex"]).verbs(&["run"]).port_flags(&["--frontend-port"]).env(&[("REFLEX_FRONTEND_PORT", "{port}")]).default_port(3000),
    // Others.
    server(&["hugo"]).verbs(&["server", "serve"]).port_flags(&["--port", "-p"]).add("--port {port}").host("--bind {host}").default_port(1313),
    server(&["php"]).switch("-S").port_flags(&["-S"]),
    server(&["artisan"]).verbs(&["serve"]).env(&[("SERVER_PORT", "{port}")]).default_port(8000),
    server(&["jekyll"]).verbs(&["serve", "server", "s"]).port_flags(&["--port", "-P"]).add("--port {port}").default_port(4000),
    server(&["rails"]).verbs(&["server", "s"]).port_flags(&["--port", "-p"]).default_port(3000),
    server(&["puma"]).port_flags(&["--port", "-p", "--bind", "-b"]).add("-p {port}").default_port(9292),
    server(&["rackup"]).port_flags(&["--port", "-p"]).add("--port {port}").default_port(9292),
    server(&["trunk"]).verbs(&["serve"]).port_flags(&["--port", "-p"]).env(&[("TRUNK_SERVE_PORT", "{port}")]).default_port(8080),
    // Runners of several programs, and those whose port is agreed on in a file.
    several(&["concurrently", "conc", "run-p", "run-s", "npm-run-all", "npm-run-all2", "wireit"]),
    several(&["turbo", "nx", "lerna", "wsrun", "rush", "moon"]),
    several(&["foreman", "honcho", "overmind", "hivemind", "goreman", "process-compose", "mprocs"]),
    server(&["tauri"]).verbs(&["dev", "android dev", "ios dev"]).fixed(),
];

/// Default ports of what has no line of its own: `vite preview`, Dash, and the hot reload of a Vite in another server.
pub(super) const OTHER_DEFAULTS: [u16; 3] = [4173, 8050, 24678];
