//! The project's own dev command, for a bare `devrun`. Pure.

use std::ffi::OsString;

use super::facts::{Facts, Manager};
use crate::error::{Error, Kind};

/// What a bare `devrun` runs.
pub(crate) fn own_command(facts: &Facts) -> Result<Vec<OsString>, Error> {
    let usage = |what: &str| Error::new(Kind::Usage, what);
    if let Some(package) = &facts.package {
        if let Some(why) = &package.damaged {
            return Err(usage(&format!("cannot read {}", package.dir.join("package.json").display()))
                .cause(why.clone())
                .hint("name the command: devrun -- COMMAND"));
        }
        if let Some(script) = package.scripts.get("dev") {
            if script.trim() == "devrun"
                || facts.env.get("npm_lifecycle_event").is_some_and(|event| event == "dev")
            {
                return Err(usage(
                    "the \"dev\" script runs devrun without a command, so it would run itself for ever",
                )
                .hint("write the server's command into the script: \"dev\": \"devrun -- COMMAND\""));
            }
            let manager = match package.manager {
                Manager::Npm => "npm",
                Manager::Pnpm => "pnpm",
                Manager::Yarn1 | Manager::Yarn4 => "yarn",
                Manager::Bun => "bun",
            };
            return Ok([manager, "run", "dev"].map(OsString::from).to_vec());
        }
    }
    if facts.cargo.is_some() {
        return Ok(["cargo", "run"].map(OsString::from).to_vec());
    }
    let cause = match &facts.package {
        Some(package) => format!("{} has no \"dev\" script", package.dir.join("package.json").display()),
        None => format!("there is no package.json and no Cargo.toml in {} or above", facts.cwd.display()),
    };
    Err(usage("there is no command to run").cause(cause).hint("name the command: devrun -- COMMAND"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::facts::tests::facts;

    #[test]
    fn a_bare_devrun_finds_the_projects_own_command() {
        let cases = [
            (r#"{"scripts": {"dev": "vite"}}"#, Ok("npm run dev")),
            (r#"{"scripts": {"dev": "vite"}, "packageManager": "pnpm@9.1.0"}"#, Ok("pnpm run dev")),
            (r#"{"scripts": {"dev": "vite"}, "packageManager": "yarn@4.1.0"}"#, Ok("yarn run dev")),
            (r#"{"scripts": {"dev": "vite"}, "packageManager": "bun@1.1.0"}"#, Ok("bun run dev")),
            (r#"{"scripts": {"start": "vite"}}"#, Err("no \"dev\" script")),
            (r#"{"scripts": {"dev": "devrun"}}"#, Err("for ever")),
            (r#"{"scripts": "#, Err("EOF")),
        ];
        for (package, expected) in cases {
            match (own_command(&facts("/p", package)), expected) {
                (Ok(argv), Ok(words)) => assert_eq!(argv.join(&OsString::from(" ")), OsString::from(words)),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (found, _) => panic!("{package}: {found:?}"),
            }
        }
        let mut rust = facts("/p", "{}");
        rust.package = None;
        assert!(own_command(&rust).is_err());
        rust.cargo = Some("app".into());
        assert_eq!(own_command(&rust).unwrap(), ["cargo", "run"]);
    }
}
