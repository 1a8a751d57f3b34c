//! Scripts before and after: every case is one line.

use super::*;
use crate::plan::Port;
use crate::plan::look::Written;

const FLAGS: &str = "--port 4100 --strictPort --host 127.0.0.1";

fn told(written: Option<Port>) -> Told {
    let written = written.map_or(Written::None, Written::Only);
    Told { port: "4100".parse().unwrap(), written, beside: false }
}

/// With the port that the plan sees in the script, if that may be changed.
fn rewritten(script: &str, replace: bool) -> String {
    let looks: Vec<_> = split(script)
        .into_iter()
        .flat_map(|script| script.commands)
        .map(|words| look(&texts(&words)))
        .collect();
    let written = the_one(&looks).and_then(|one| Some(looks[one].spots.last()?.port));
    rewrite(script, told(written.filter(|_| replace))).script
}

#[test]
fn a_port_before_a_redirection_is_no_descriptor() {
    assert_eq!(rewritten("puma>log", false), "puma -p 4100 >log");
    assert_eq!(rewritten("puma<in 2>&1", false), "puma -p 4100 <in 2>&1");
}

#[test]
fn the_one_known_server_gets_its_port_wherever_it_stands() {
    for script in [
        "vite@",
        "vite dev@",
        "vite serve@ --open",
        "vite@ --mode ssr",
        "vite@ ./app",
        "tsc -b && vite@",
        "vite@ && echo done",
        "vite@ | cat",
        "bun install && vite@",
        "bun run codegen && vite@",
        "bun --bun scripts/gen.ts && vite@",
        "bun api.ts & vite@",
        "(vite@)",
        "vite@ # note",
        "vite@ & wait",
        "vite@; true",
        "A=1 vite@",
        "cross-env A=1 B=2 vite dev@",
        "env A=1 vite@",
        "env -u X vite@",
        "npx vite@",
        "npx --yes vite@",
        "env-cmd -f .env vite@",
        "env-cmd --silent -- vite@",
        "pnpm exec vite@",
        "pnpm exec -- vite@",
        "yarn exec -- vite@",
        "pnpm vite@",
        "bunx vite@",
        "bunx --bun vite@",
        "yarn vite@",
        "bun run --bun vite@",
        "dotenv -e .env.local -- vite@",
        "dotenv -e .env vite@",
        "node node_modules/.bin/vite@",
        "node node_modules/vite/bin/vite.js@ --open",
        "exec vite@",
        "./node_modules/.bin/vite@",
        "vite@ >log 2>&1",
        "vite@ 2>&1 | tee log",
        "vite@ -- x",
        "'vite'@",
        "NODE_OPTIONS=\"--max-old-space-size=4096 $X\" vite@",
        "if true; then vite@; fi",
        "if true; then (cd web && vite@); fi",
        "vite@ \\\n --open",
        "vi\\\nte@",
        "\"vi\\\nte\"@",
        "vite@ &>log",
        "vite@ <in >log",
        "# first\nvite@",
        "vite@ # note\ntrue",
        "A=$X vite@",
        "A=${X:-a b} vite@",
    ] {
        let expected = script.replace('@', &format!(" {FLAGS}"));
        assert_eq!(rewritten(&script.replace('@', ""), true), expected);
    }
}

#[test]
fn other_servers_get_what_they_understand() {
    let cases = [
        ("astro dev", "astro dev --port 4100 --host 127.0.0.1"),
        ("ng serve", "ng serve --port 4100 --host 127.0.0.1"),
        ("react-router dev", "react-router dev --port 4100 --strictPort --host 127.0.0.1"),
        ("remix vite:dev", "remix vite:dev --port 4100 --strictPort --host 127.0.0.1"),
        ("vitepress dev docs", "vitepress dev --port 4100 --strictPort --host 127.0.0.1 docs"),
        ("webpack serve --open", "webpack serve --port 4100 --host 127.0.0.1 --open"),
        ("rspack dev", "rspack dev --port 4100 --host 127.0.0.1"),
        ("rsbuild dev", "rsbuild dev --port 4100 --host 127.0.0.1"),
        ("wrangler dev", "wrangler dev --port 4100 --ip 127.0.0.1"),
        (
            "wrangler types --env dev && wrangler dev --env dev",
            "wrangler types --env dev && wrangler dev --port 4100 --ip 127.0.0.1 --env dev",
        ),
        ("vite --mode test", "vite --port 4100 --strictPort --host 127.0.0.1 --mode test"),
        ("./manage.py runserver '[::]:8000'", "./manage.py runserver '[::]:4100'"),
        ("eleventy --serve", "eleventy --port=4100 --serve"),
        ("esbuild a.js --serve --bundle", "esbuild a.js --serve=127.0.0.1:4100 --bundle"),
        ("npx serve@14 -l 3000", "npx serve@14 -l 4100"),
        ("pnpm dlx hugo@latest server", "pnpm dlx hugo@latest server --port 4100 --bind 127.0.0.1"),
        ("esbuild --servedir=www", "esbuild --serve=127.0.0.1:4100 --servedir=www"),
        ("esbuild --serve --servedir=www", "esbuild --serve=127.0.0.1:4100 --servedir=www"),
        ("npx @11ty/eleventy@3 --serve", "npx @11ty/eleventy@3 --port=4100 --serve"),
        ("esbuild --serve=8000", "esbuild --serve=4100"),
        ("python3 -m http.server", "python3 -m http.server 4100 --bind 127.0.0.1"),
        ("python -m http.server 8000", "python -m http.server 4100"),
        ("python3.11 -u -m http.server", "python3.11 -u -m http.server 4100 --bind 127.0.0.1"),
        ("python manage.py runserver", "python manage.py runserver 127.0.0.1:4100"),
        ("./manage.py runserver 0.0.0.0:8000", "./manage.py runserver 0.0.0.0:4100"),
        ("uv run manage.py runserver", "uv run manage.py runserver 127.0.0.1:4100"),
        ("python -m sphinx_autobuild a b", "python -m sphinx_autobuild --port 4100 a b"),
        ("poetry run mkdocs serve", "poetry run mkdocs serve -a 127.0.0.1:4100"),
        ("hypercorn app:app", "hypercorn -b 127.0.0.1:4100 app:app"),
        ("php -S localhost:8000", "php -S localhost:4100"),
        ("hugo server -D", "hugo server --port 4100 --bind 127.0.0.1 -D"),
        ("deno serve x.ts", "deno serve --port 4100 --host 127.0.0.1 x.ts"),
        ("json-server db.json", "json-server --port 4100 db.json"),
        ("rackup -p 9292", "rackup -p 4100"),
        ("bundle exec rackup", "bundle exec rackup --port 4100"),
        ("bundle exec jekyll serve", "bundle exec jekyll serve --port 4100"),
        ("next dev -p 3000", "next dev -p 4100"),
        ("storybook dev -p 6006", "storybook dev -p 4100"),
        ("http-server -p 3457", "http-server -p 4100"),
        ("http-server -p3457", "http-server -p4100"),
        ("vite --port=3000", "vite --port=4100"),
        ("vite --host", "vite --port 4100 --strictPort --host"),
        ("vite --host=0.0.0.0 --strictPort", "vite --port 4100 --host=0.0.0.0 --strictPort"),
        ("PORT=3000 next dev", "PORT=4100 next dev"),
        ("cross-env PORT=3000 node server.js", "cross-env PORT=4100 node server.js"),
        ("export PORT=3000; node server.js", "export PORT=4100; node server.js"),
        ("bun run codegen && PORT=3000 node x.js", "bun run codegen && PORT=4100 node x.js"),
        ("bun test a.ts && PORT=3000 node x.js", "bun test a.ts && PORT=4100 node x.js"),
        ("bun --hot x.ts --port 3000", "bun --hot x.ts --port 4100"),
        ("bun run ./x.ts --port=3000", "bun run ./x.ts --port=4100"),
        ("serve -l tcp://0.0.0.0:5000", "serve -l tcp://0.0.0.0:4100"),
        ("gunicorn -b '[::]:8000' a", "gunicorn -b '[::]:4100' a"),
    ];
    for (script, expected) in cases {
        assert_eq!(rewritten(script, true), expected);
    }
}

#[test]
fn what_is_not_understood_stays_as_it_is() {
    for script in [
        "vite build",
        "vite build && vite optimize",
        "next dev",
        "nuxt dev",
        "npm run inner",
        "pnpm run inner",
        "yarn dev",
        "vite & ng serve",
        "vite $(cat flags)",
        "vite `cat flags`",
        "vite 'open",
        "A=${X:-`y`} vite",
        "cat <<X\nvite\nX",
        "sh -c 'vite'",
        "vite --port $PORT",
        "vite --port=${PORT:-3000}",
        "vite --port {port}",
        "python manage.py runserver 0.0.0.0:$PORT",
        "python manage.py runserver \"$HOST:$PORT\"",
        "python manage.py runserver [::]:8000",
        "python3 -m http.server $PORT",
        "python3 -m http.server ${PORT:-8000}",
        "wrangler deploy --env dev",
        "vp run dev",
        "devrun -- vite",
        "devrun vite --port 3000",
        "case x in vite) vite;; esac",
        "if true; then case x in y|vite) z;; esac; fi",
        "vite() { node server.js; }; vite",
        // For a bash with extended patterns it is one word.
        "ls !(PORT=1500 x&y)",
        "-- vite",
        "--",
        "vite\r\n",
        "echo $'\\' vite '",
        "echo $'\\'' '; vite #'",
        "node server.js",
        "echo 'vite dev'",
        "npm exec vite",
        "flask run",
        "uvicorn m:app",
        "esbuild a.js --bundle",
        "esbuild --serve=4100",
        "",
        "bun gen.ts && bun x.ts --port 3000",
        "electron-vite dev",
        "concurrently vite \"npm:api\"",
        "run-p a b",
        "turbo run dev",
        "tauri dev",
    ] {
        assert_eq!(rewritten(script, true), script);
    }
    assert_eq!(rewritten("vite --port 3000", false), "vite --port 3000");
}

#[test]
fn nothing_is_rewritten_below_a_runner_of_several() {
    for (script, pass_on) in [
        ("concurrently \"npm:web\" \"npm:api\"", false),
        ("npm run build && turbo dev", false),
        ("npx concurrently a b", false),
        ("tauri dev", false),
        ("npm run inner", true),
        ("vite", true),
    ] {
        assert_eq!(rewrite(script, told(None)).pass_on, pass_on, "{script}");
    }
}

#[test]
fn a_port_in_another_script_is_another_servers() {
    let told = told("3555".parse().ok());
    for script in
        ["PORT=4001 node api.js", "cross-env PORT=9999 node x.js", "next dev -p 3000", "vite --port 3000"]
    {
        assert_eq!(rewrite(script, told).script, script);
    }
    assert_eq!(rewrite("vite --port 3555", told).script, "vite --port 4100");
}

#[test]
fn beside_others_the_server_alone_has_port() {
    for (script, expected) in [
        ("node api.js & next dev", "node api.js & PORT=4100 next dev"),
        ("A=1 npx next dev & node api.js", "PORT=4100 A=1 npx next dev & node api.js"),
        ("{ next dev; } & (exec react-scripts start)", "{ next dev; } & (exec react-scripts start)"),
        ("{ next dev; } & node api.js", "{ PORT=4100 next dev; } & node api.js"),
        ("if true; then next dev; fi & node api.js", "if true; then PORT=4100 next dev; fi & node api.js"),
        ("PORT=4100 next dev & node api.js", "PORT=4100 next dev & node api.js"),
        ("PORT=3000 next dev & node api.js", "PORT=4100 next dev & node api.js"),
        ("next dev -p 3000 & node api.js", "next dev -p 4100 & node api.js"),
        ("node api.js & vite", "node api.js & vite --port 4100 --strictPort --host 127.0.0.1"),
        ("node api.js & devrun vite", "node api.js & PORT=4100 devrun vite"),
        ("time next dev", "time next dev"),
        ("next dev", "PORT=4100 next dev"),
        ("node api.js", "node api.js"),
    ] {
        let told = Told { beside: true, ..told("3000".parse().ok()) };
        assert_eq!(rewrite(script, told).script, expected);
        assert_eq!(rewrite(expected, told).script, expected);
    }
}

#[test]
fn what_runs_at_the_same_time_is_seen() {
    for (script, expected) in [
        ("a & b", true),
        ("a & wait", true),
        ("(a &); b", true),
        ("a && b & c", true),
        ("a\nb &\nc", true),
        ("a &", false),
        ("a && b", false),
        ("a && b &", false),
        ("a || b | c; d", false),
        ("a 2>&1 && b", false),
        ("a &>log; b", false),
        ("a |& b", false),
        ("a '&' b; c", false),
        ("a # b & c\nd", false),
    ] {
        assert_eq!(split(script).unwrap().at_once, expected, "{script}");
    }
}
