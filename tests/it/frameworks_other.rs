//! Promise 31 for the servers that are packages of the system: the page answers on the URL that devrun said, and
//! nothing is left of it afterwards.

use crate::support::takes_its_port;

#[test]
fn phps_own_server_takes_its_port() {
    takes_its_port("php", &["php", "-S", "localhost:8000"], "php answers");
}

#[test]
fn phps_own_server_leaves_no_worker() {
    let args = ["env", "PHP_CLI_SERVER_WORKERS=3", "php", "-S", "localhost:8000"];
    takes_its_port("php", &args, "php answers");
}

#[test]
fn hugo_takes_its_port() {
    takes_its_port("hugo", &["hugo", "server"], "hugo answers");
}

#[test]
fn jekyll_takes_its_port() {
    takes_its_port("jekyll", &["jekyll", "serve"], "jekyll answers");
}

#[test]
fn puma_takes_its_port() {
    takes_its_port("puma", &["puma"], "puma answers");
}
