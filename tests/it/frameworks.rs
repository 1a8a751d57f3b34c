//! Promise 31: for every real server that the test command installs, the page answers on the URL that devrun said,
//! and nothing is left of it afterwards. The apps are in `tests/apps`.

use crate::support::{
    LIMIT, PATIENCE, Ready, Running, Scratch, answers, apps, eventually, free_port, get, held_port,
    takes_its_port,
};

#[test]
fn vite_7_takes_its_port() {
    takes_its_port("vite7", &["npm", "run", "dev"], "vite7 answers");
}

#[test]
fn vite_8_takes_its_port() {
    takes_its_port("vite8", &["npm", "run", "dev"], "vite8 answers");
}

#[test]
fn vite_8_takes_its_port_through_pnpm_and_yarn_and_directly() {
    let tools = apps("tools").join("node_modules/.bin");
    for tool in ["pnpm", "yarn"] {
        takes_its_port("vite8", &[tools.join(tool).to_str().unwrap(), "run", "dev"], "vite8 answers");
    }
    takes_its_port("vite8", &["npm", "exec", "vite"], "vite8 answers");
}

#[test]
fn bare_devrun_runs_the_projects_own_dev_command() {
    takes_its_port("express", &[], "express answers");
}

#[test]
fn express_takes_its_port() {
    takes_its_port("express", &["npm", "run", "dev"], "express answers");
}

#[test]
fn nodemon_takes_its_port() {
    takes_its_port("nodemon", &["npm", "run", "dev"], "nodemon answers");
}

#[test]
fn esbuild_takes_its_port() {
    takes_its_port("esbuild", &["npm", "run", "dev"], "esbuild answers");
}

#[test]
fn astro_takes_its_port() {
    takes_its_port("astro", &["npm", "run", "dev"], "astro answers");
}

#[test]
fn two_servers_under_concurrently_get_a_port_each() {
    takes_its_port("concurrently", &["--port-env", "API_PORT=api", "npm", "run", "dev"], "web answers");
}

#[test]
fn a_server_under_turbo_answers_where_devrun_says() {
    let args = ["--port-env", "API_PORT=api", "npm", "run", "dev:loose"];
    takes_its_port("turbo", &args, "answers");
}

#[test]
fn a_server_under_strict_turbo_that_never_sees_its_port_is_followed() {
    answers("turbo", &["npm", "run", "dev"], "answers");
}

#[test]
fn flask_with_its_reloader_takes_its_port() {
    let python = apps("python").join("bin/python");
    takes_its_port(
        "flask",
        &[python.to_str().unwrap(), "-m", "flask", "--app", "app", "run", "--debug"],
        "flask answers",
    );
}

#[test]
fn django_takes_its_port() {
    let python = apps("python").join("bin/python");
    takes_its_port("django", &[python.to_str().unwrap(), "manage.py", "runserver"], "django answers");
}

#[test]
fn pythons_own_server_takes_its_port() {
    takes_its_port("http-server", &["python3", "-m", "http.server"], "http.server answers");
    takes_its_port("http-server", &["python3", "-m", "http.server", "{port}"], "http.server answers");
}

#[test]
fn a_rust_server_through_cargo_run_takes_its_port() {
    let build = apps("rust-server").join("target");
    let build = format!("CARGO_TARGET_DIR={}", build.display());
    takes_its_port("rust-server", &["env", &build, "cargo", "run", "--quiet"], "rust-server answers");
}

/// Vite, and an API that listens on `PORT` or else on `api`; devrun is to leave that one where it is.
fn vite_beside_an_api(api: u16, options: &[&str], scripts: &[(&str, String)]) -> Ready {
    let scratch = Scratch::new();
    scratch.package_json(scripts);
    scratch.write("index.html", "vite answers");
    scratch.write(
        "api.js",
        &format!("require('http').createServer((_, r) => r.end('api answers')).listen(process.env.PORT || {api}, '127.0.0.1')"),
    );
    std::os::unix::fs::symlink(apps("vite8").join("node_modules"), scratch.project().join("node_modules"))
        .unwrap();
    let mut run = Running::spawn(scratch.devrun([options, &["npm", "run", "dev"]].concat()));
    let ready = run.ready_within(PATIENCE);
    assert!(get(&ready.url).contains("vite answers"), "{}", run.stderr());
    eventually(LIMIT, || match get(&format!("http://127.0.0.1:{api}")).as_str() {
        "api answers" => Ok(()),
        other => Err(format!("{other:?} on {api}; {}", run.stderr())),
    });
    run.stop();
    ready
}

#[test]
fn an_api_beside_vite_stays_where_it_is_without_devrun() {
    let (one_script, another) = ("node api.js & vite", "npm run api & npm run web");
    for dev in [one_script, another] {
        let port = free_port();
        let scripts = [("dev", dev), ("api", "node api.js"), ("web", "vite")];
        let scripts = scripts.map(|(name, line)| (name, line.to_string()));
        let ready = vite_beside_an_api(free_port(), &["-p", &port.to_string()], &scripts);
        assert_eq!(ready.port, port, "{dev}");
    }
}

#[test]
fn a_port_written_for_the_api_is_not_vites() {
    let (taken, _holder) = held_port("127.0.0.1");
    let api = free_port();
    let scripts = [
        ("dev", "npm run api & npm run web".to_string()),
        ("api", format!("PORT={api} node api.js")),
        ("web", format!("vite --port {taken}")),
    ];
    let ready = vite_beside_an_api(api, &[], &scripts);
    assert!(ready.port != taken && ready.port != api, "{}", ready.port);
}

/// Bare, the second Vite takes the next port; with one port for both it would end.
#[test]
fn two_vites_that_a_program_of_the_project_starts_both_run() {
    let scratch = Scratch::new();
    let scripts = [("dev", "node dev.js"), ("web", "vite"), ("admin", "vite")];
    scratch.package_json(&scripts.map(|(name, line)| (name, line.to_string())));
    scratch.write("index.html", "vite answers");
    scratch.write(
        "dev.js",
        "for (const name of ['web', 'admin']) {
            const vite = require('child_process').spawn('npm', ['run', name]);
            vite.stdout.on('data', text => /Local/.test(text) && require('fs').writeFileSync(name, 'up'));
            vite.on('exit', () => process.exit(1));
        }",
    );
    std::os::unix::fs::symlink(apps("vite8").join("node_modules"), scratch.project().join("node_modules"))
        .unwrap();
    let mut run = Running::spawn(scratch.devrun(["npm", "run", "dev"]));
    let ready = run.ready_within(PATIENCE);
    eventually(PATIENCE, || match ["web", "admin"].map(|name| scratch.project().join(name).exists()) {
        [true, true] => Ok(()),
        up => Err(format!("{up:?}; {}", run.stderr())),
    });
    assert!(get(&ready.url).contains("vite answers"), "{}", run.stderr());
    run.stop();
}

#[test]
fn scripts_run_in_the_shell_that_the_user_has_chosen() {
    for (npmrc, variable) in [
        ("script-shell=\"bash\"", None),
        ("script-shell=${MY_SHELL}", None),
        ("", Some("NPM_CONFIG_SCRIPT_SHELL")),
        ("", Some("npm_config_script_shell")),
    ] {
        let scratch = Scratch::new();
        let fixture = scratch.fixture("shape=alone");
        let line = format!("echo \"${{BASH_VERSION:-none}}\" >shell; exec {}", fixture.line());
        scratch.package_json(&[("dev", line)]);
        scratch.write(".npmrc", npmrc);
        scratch.write("deep/er/file", "");
        let mut command = scratch.devrun(["npm", "run", "dev"]);
        command.current_dir(scratch.project().join("deep/er")).env("MY_SHELL", "bash");
        command.envs(variable.map(|name| (name, "bash")));
        let mut run = Running::spawn(command);
        run.ready();
        let shell = std::fs::read_to_string(scratch.project().join("shell")).unwrap();
        assert_ne!(shell.trim(), "none", "{npmrc} {variable:?}");
        run.stop();
    }
}
