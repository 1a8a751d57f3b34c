//! Scripts that run several programs at the same time.

use super::*;

#[test]
fn what_runs_beside_the_server_is_not_given_its_port() {
    let removed = Some(&None);
    let given = Some(Some("4100".to_string()));
    let port = given.as_ref();
    let (beside, keep) = (Some("4100 keep beside"), Some("4100 keep"));
    for (line, script, expected, told) in [
        ("npm run dev", "node api.js & vite", removed, beside),
        ("npm run dev", "node api.js & next dev", removed, beside),
        ("npm run dev", "npm run api & npm run web", removed, beside),
        ("npm run dev", "tsc && npm run both", removed, beside),
        ("npm run dev", "PORT=4001 node api.js & node web.js", removed, Some("4100 replace 4001 beside")),
        ("npm run dev", "vite & wait", removed, beside),
        ("npm run dev", "node api.js & yarn tsc -w & vite", removed, beside),
        // Nobody is beside it, or it is not known which one is the server.
        ("npm run dev", "vite", port, keep),
        ("npm run dev", "tsc && vite", port, keep),
        ("npm run dev", "concurrently a b & vite", port, None),
        ("npm run dev", "node a.js & node b.js", port, None),
        ("npm run dev", "npm run web & npm run web", port, None),
        ("npm run dev", "npm run both & npm run web", port, None),
        ("npm run dev", "npm run dev -w api & npm run web", None, None),
        ("npm run dev", "npm --prefix api run dev & vite", None, None),
        ("npm run dev", "npm run dev -w api & npm run dev -w web", port, None),
        // They have agreed on a port.
        ("npm run dev", "vite & wait-on http://localhost:5173 && electron .", None, None),
        ("npm run dev", "vite --port 3000 & wait-on tcp:3000/x && electron .", None, None),
        ("npm run dev", "next dev & wait-on tcp:3000", None, None),
        ("npm run dev", "flask run & wait-on tcp:5000", None, None),
        ("npm run dev", "react-scripts start & wait-on http://localhost:3000 && electron .", None, None),
        ("npm run dev", "npm run web & npm run electron", None, None),
        ("npm run dev", "tsc && npm run web & npm run then", None, None),
        ("npm run dev", "npm run agreed & node api.js", None, None),
        ("npm run dev", "vite & WEB=http://localhost:5173 npm run api", None, None),
        ("npm run dev", "npm run web & API=localhost:51730 node api.js", removed, beside),
        // Several packages at the same time, or one after the other.
        ("pnpm -r dev", "vite", port, None),
        ("pnpm --filter 'apps/*' dev", "vite", port, None),
        ("pnpm --filter web... dev", "vite", port, None),
        ("pnpm run --parallel dev", "vite", port, None),
        ("npm run dev", "tsc && pnpm -r --parallel dev", port, None),
        ("pnpm --filter web --filter api dev", "vite", port, None),
        ("pnpm -F web -F api dev", "vite", port, None),
        ("pnpm --filter=web --filter=api dev", "vite", port, None),
        ("pnpm -F !docs dev", "vite", port, None),
        ("pnpm -F [origin/main] dev", "vite", port, None),
        ("pnpm --filter={./apps} dev", "vite", port, None),
        ("npm run dev", "pnpm run '/^dev:/'", port, None),
        ("npm run dev", "pnpm -F web '/^dev:/'", port, None),
        ("npm run dev", "pnpm -F @acme/* dev", port, None),
        ("pnpm --filter=web dev -- --base /x/[id]", "vite", port, keep),
        ("pnpm --filter web dev", "vite", port, keep),
        ("npm run dev -ws", "vite", port, keep),
        // The script says itself who has it.
        ("npm run dev", "node api.js & vite --port $PORT", port, keep),
        ("npm run dev", "npm run web & wait-on tcp:${PORT}", port, keep),
        ("npm run dev", "bun api.ts & vite", removed, beside),
        // No script shell can tell them apart: a flag does, or all stays as it is without devrun.
        ("bun run dev", "node api.js & vite", removed, None),
        ("bun run dev", "node api.js & next dev", None, None),
        ("bun run dev", "vite", port, keep),
    ] {
        let scripts = serde_json::json!({"scripts": {
            "dev": script, "api": "node api.js", "web": "vite", "both": "npm run api & npm run web",
            "electron": "wait-on tcp:5173 && electron .", "then": "npm run electron",
            "agreed": "vite & wait-on tcp:5173",
        }});
        let facts = facts("/p", &scripts.to_string());
        let command = filled(&plan(line, &facts));
        let found = command.env.iter().find(|(key, _)| key == "PORT");
        let found = found.map(|(_, value)| value.as_ref().map(|value| value.to_str().unwrap().to_string()));
        let hears = var(&command, "DEVRUN_INJECT");
        assert_eq!((found.as_ref(), hears.as_deref()), (expected, told), "{line}: {script}");
        assert!(told == keep || var(&command, "FLASK_RUN_PORT").is_none(), "{line}: {script}");
    }
}
