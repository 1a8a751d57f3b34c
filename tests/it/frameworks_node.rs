//! Promise 31 for the servers that npm installs. What shares a folder is started one after the other: some lock it.

use crate::support::{answers, apps, takes_its_port};

/// The app's `dev` script takes its port.
fn dev_takes_its_port(app: &str) {
    takes_its_port(app, &["npm", "run", "dev"], &format!("{app} answers"));
}

/// Each of these scripts takes its port: (script, what its page says).
fn each_takes_its_port(app: &str, scripts: &[(&str, &str)]) {
    for (script, text) in scripts {
        takes_its_port(app, &["npm", "run", script], text);
    }
}

#[test]
fn next_takes_its_port() {
    dev_takes_its_port("next");
}

#[test]
fn nuxt_takes_its_port() {
    dev_takes_its_port("nuxt");
}

#[test]
fn angular_takes_its_port() {
    dev_takes_its_port("angular");
}

#[test]
fn docusaurus_takes_its_port() {
    dev_takes_its_port("docusaurus");
}

#[test]
fn storybook_takes_its_port_and_not_the_one_in_its_script() {
    dev_takes_its_port("storybook");
}

#[test]
fn what_is_built_on_vite_takes_its_port() {
    for app in ["vite6", "sveltekit", "react-router", "remix", "qwik", "solid-start"] {
        dev_takes_its_port(app);
    }
    // The page is empty until a browser has run it.
    each_takes_its_port("vitepress", &[("dev", "vitepress/dist/client/app/index.js")]);
}

#[test]
fn electron_vite_which_no_flag_moves_is_followed() {
    answers("electron-vite", &["npm", "run", "dev"], "electron-vite answers");
}

#[test]
fn bundlers_take_their_port() {
    let scripts = [
        ("webpack", "bundlers answers"),
        ("rspack", "bundlers answers"),
        ("rsbuild", "rsbuild answers"),
        ("parcel", "bundlers answers"),
    ];
    each_takes_its_port("bundlers", &scripts);
    dev_takes_its_port("vue-cli");
}

#[test]
fn expo_takes_its_port() {
    dev_takes_its_port("expo");
}

#[test]
fn wrangler_takes_its_port() {
    dev_takes_its_port("wrangler");
}

#[test]
fn a_server_under_nx_takes_its_port() {
    dev_takes_its_port("nx");
}

#[test]
fn bun_takes_its_port() {
    let bun = apps("tools").join("node_modules/.bin/bun");
    takes_its_port("bun", &[bun.to_str().unwrap(), "server.ts"], "Bun.serve answers");
    takes_its_port("bun", &[bun.to_str().unwrap(), "index.html"], "bun answers");
}

#[test]
fn deno_takes_its_port() {
    each_takes_its_port("deno", &[("serve", "deno answers"), ("run", "Deno.serve answers")]);
}

#[test]
fn small_servers_and_watchers_take_their_port() {
    let page = "small-servers answers";
    let scripts = [
        ("http-server", page),
        ("serve", page),
        ("sirv", page),
        ("live-server", page),
        ("browser-sync", page),
        ("json-server", page),
        ("eleventy", page),
        ("wds", page),
        ("fastify", "fastify answers"),
        ("tsx", "server.ts answers"),
        ("node-watch", "server.js answers"),
    ];
    each_takes_its_port("small-servers", &scripts);
}
