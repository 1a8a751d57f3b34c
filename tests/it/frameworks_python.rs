//! Promise 31 for what `pip` installs: the page answers on the URL that devrun said, and nothing is left of it
//! afterwards. The apps are in `tests/apps/python-servers`, the programs in the venv of `tests/apps/python`.

use crate::support::{apps, takes_its_port};

/// Runs a program of the venv.
fn serves(program: &str, args: &[&str], text: &str) {
    let program = apps("python").join("bin").join(program);
    takes_its_port("python-servers", &[&[program.to_str().unwrap()], args].concat(), text);
}

#[test]
fn uvicorn_takes_its_port() {
    serves("uvicorn", &["asgi:app"], "asgi answers");
    serves("python", &["-m", "uvicorn", "asgi:app"], "asgi answers");
}

#[test]
fn uvicorn_with_its_reloader_takes_its_port() {
    serves("uvicorn", &["asgi:app", "--reload"], "asgi answers");
}

#[test]
fn fastapi_takes_its_port() {
    serves("fastapi", &["dev", "fastapi_app.py"], "fastapi answers");
}

#[test]
fn gunicorn_takes_its_port() {
    serves("gunicorn", &["wsgi:app"], "wsgi answers");
}

#[test]
fn hypercorn_takes_its_port() {
    serves("hypercorn", &["asgi:app"], "asgi answers");
}

#[test]
fn litestar_takes_its_port() {
    serves("litestar", &["--app", "litestar_app:app", "run"], "litestar answers");
}

#[test]
fn quart_takes_its_port() {
    serves("quart", &["--app", "quart_app", "run"], "quart answers");
}

#[test]
fn sanic_with_its_reloader_takes_its_port() {
    serves("sanic", &["sanic_app", "--dev"], "sanic answers");
}

#[test]
fn dash_with_its_reloader_takes_its_port() {
    serves("python", &["dash_app.py"], "dash answers");
}

#[test]
fn mkdocs_takes_its_port() {
    serves("mkdocs", &["serve"], "mkdocs answers");
}

#[test]
fn sphinx_autobuild_takes_its_port() {
    serves("sphinx-autobuild", &["sphinx", "sphinx/_build"], "sphinx answers");
    serves("python", &["-m", "sphinx_autobuild", "sphinx", "sphinx/_build"], "sphinx answers");
}

#[test]
fn streamlit_takes_its_port() {
    serves("streamlit", &["run", "streamlit_app.py"], "<title>Streamlit</title>");
}

#[test]
fn marimo_takes_its_port() {
    let quiet = ["--headless", "--skip-update-check", "--no-token", "marimo_app.py"];
    serves("marimo", &[&["edit"], &quiet[..]].concat(), "marimo answers");
}

#[test]
fn jupyter_lab_takes_its_port() {
    let quiet = ["--allow-root", "--no-browser", "--ServerApp.token="];
    serves("jupyter", &[&["lab"], &quiet[..]].concat(), "JupyterLab");
    serves("jupyter-lab", &quiet, "JupyterLab");
}

#[test]
fn the_web_of_a_procfile_under_honcho_takes_the_port() {
    serves("honcho", &["start"], "web answers");
}
