//! The shell that package managers would run scripts with, if devrun were not in its place.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::sys::files::stranger;

/// The user has chosen a shell, of which it can't be told what program it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unclear;

/// The script shell that npm would use in this folder: not devrun's own (`own`) from a run around this one.
pub(super) fn user_shell(
    env: &BTreeMap<String, String>,
    cwd: &Path,
    own: Option<&Path>,
) -> Result<Option<OsString>, Unclear> {
    let nested = |path: &str| env.contains_key("DEVRUN_INJECT") || own == Some(Path::new(path));
    match config(env, "script_shell") {
        Some(path) if nested(path) => Ok(env.get("DEVRUN_SHELL").map(OsString::from)),
        Some(path) => program(path, env, cwd).map(Some),
        None => files(env, cwd)
            .iter()
            .find_map(|file| written(file))
            .map_or(Ok(None), |value| program(&expanded(&value, env)?, env, cwd).map(Some)),
    }
}

/// A setting of npm's in the environment, in any case; the last one counts.
fn config<'a>(env: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    let is = |key: &str| {
        let key = key.to_ascii_lowercase();
        key.strip_prefix("npm_config_") == Some(name)
    };
    env.iter()
        .filter(|(key, value)| is(key) && !value.is_empty())
        .map(|(_, value)| value.as_str())
        .next_back()
}

/// The files that npm reads, the one that counts first: that of the package or of its workspace, then the user's.
fn files(env: &BTreeMap<String, String>, cwd: &Path) -> Vec<PathBuf> {
    let mut dirs: Vec<&Path> = cwd.ancestors().collect();
    if let Some(top) = dirs.iter().position(|dir| dir.join(".git").exists()) {
        dirs.truncate(top + 1);
    }
    let text = |dir: &Path| std::fs::read_to_string(dir.join("package.json"));
    dirs.retain(|dir| ["package.json", ".npmrc"].iter().all(|name| stranger(&dir.join(name), cwd).is_none()));
    let packages = dirs.into_iter().filter_map(|dir| Some((dir, text(dir).ok()?))).enumerate();
    let counts = packages.filter(|(above, (dir, package))| {
        *above == 0 || package.contains("\"workspaces\"") || dir.join("pnpm-workspace.yaml").exists()
    });
    let user = config(env, "userconfig").map(PathBuf::from);
    let home = || env.get("HOME").map(|home| Path::new(home).join(".npmrc"));
    counts.map(|(_, (dir, _))| dir.join(".npmrc")).chain(user.or_else(home)).collect()
}

/// The script shell in such a file, without the quotes of its format.
fn written(file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let values = text.lines().filter_map(|line| line.split_once('='));
    let value =
        values.filter(|(key, _)| key.trim() == "script-shell").map(|(_, value)| value.trim()).next_back()?;
    let quoted = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    let value = quoted('"').or_else(|| quoted('\'')).unwrap_or(value);
    (!value.is_empty()).then(|| value.to_string())
}

/// With the variables filled in, each as `${NAME}`.
fn expanded(value: &str, env: &BTreeMap<String, String>) -> Result<String, Unclear> {
    let mut all = String::new();
    let mut rest = value;
    while let Some((before, from)) = rest.split_once("${") {
        let (name, after) = from.split_once('}').ok_or(Unclear)?;
        all.push_str(before);
        all.push_str(env.get(name).ok_or(Unclear)?);
        rest = after;
    }
    Ok(all + rest)
}

/// The name as it is, if a program has it.
fn program(name: &str, env: &BTreeMap<String, String>, cwd: &Path) -> Result<OsString, Unclear> {
    which::which_in(name, env.get("PATH"), cwd).map(|_| name.into()).map_err(|_| Unclear)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        let path = std::env::var("PATH").unwrap();
        let all = [("PATH", path.as_str()), ("SHELL", "/bin/sh")];
        all.iter().chain(variables).map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn a_file_says_it_as_npm_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path().join("project");
        std::fs::create_dir_all(project.join("deep/er")).unwrap();
        std::fs::create_dir(project.join(".git")).unwrap();
        for (line, expected) in [
            ("script-shell=/bin/sh", Ok(Some("/bin/sh"))),
            ("a=b\nscript-shell = sh\n", Ok(Some("sh"))),
            ("script-shell=\"/bin/sh\"", Ok(Some("/bin/sh"))),
            ("script-shell='/bin/sh'", Ok(Some("/bin/sh"))),
            ("script-shell=${SHELL}", Ok(Some("/bin/sh"))),
            ("script-shell=\"${A}/${B}\"", Ok(Some("/bin/sh"))),
            ("script-shell=", Ok(None)),
            ("# script-shell=zsh", Ok(None)),
            ("script-shell=${NONE}", Err(Unclear)),
            ("script-shell=${SHELL", Err(Unclear)),
            ("script-shell=/bin/no-such-shell", Err(Unclear)),
            ("script-shell=no-such-shell", Err(Unclear)),
        ] {
            let env = env(&[("A", "/bin"), ("B", "sh")]);
            let expected = expected.map(|shell| shell.map(OsString::from));
            std::fs::write(project.join(".npmrc"), line).unwrap();
            std::fs::write(project.join("package.json"), "{}").unwrap();
            for folder in ["", "deep/er"] {
                assert_eq!(user_shell(&env, &project.join(folder), None), expected, "{line} in {folder:?}");
            }
            std::fs::write(project.join("deep/package.json"), "{}").unwrap();
            assert_eq!(user_shell(&env, &project.join("deep/er"), None), Ok(None), "another package");
            std::fs::write(project.join("package.json"), r#"{"workspaces": ["deep"]}"#).unwrap();
            assert_eq!(user_shell(&env, &project.join("deep/er"), None), expected, "of the workspace");
            std::fs::remove_file(project.join("deep/package.json")).unwrap();
            // Above the repository it is another's.
            assert_eq!(user_shell(&env, dir.path(), None), Ok(None));
        }
        std::fs::write(project.join(".npmrc"), "").unwrap();
        let user = dir.path().join("user");
        std::fs::write(&user, "script-shell=/bin/sh").unwrap();
        for name in ["NPM_CONFIG_USERCONFIG", "npm_config_userconfig"] {
            let env = env(&[(name, user.to_str().unwrap())]);
            assert_eq!(user_shell(&env, &project, None), Ok(Some("/bin/sh".into())), "{name}");
        }
    }

    #[test]
    fn a_line_of_any_length_is_read() {
        let env = env(&[("A", "a")]);
        assert_eq!(expanded(&"${A}".repeat(200_000), &env), Ok("a".repeat(200_000)));
        assert_eq!(expanded(&"${A".repeat(200_000), &env), Err(Unclear));
    }

    #[test]
    fn a_variable_says_it_in_any_case() {
        let chosen = |variables: &[(&str, &str)]| {
            user_shell(&env(variables), Path::new("/"), Some(Path::new("/bin/devrun")))
        };
        for name in ["npm_config_script_shell", "NPM_CONFIG_SCRIPT_SHELL", "Npm_Config_script_shell"] {
            assert_eq!(chosen(&[(name, "/bin/sh")]), Ok(Some("/bin/sh".into())), "{name}");
            assert_eq!(chosen(&[(name, "")]), Ok(None));
            assert_eq!(chosen(&[(name, "/bin/no-such-shell")]), Err(Unclear));
        }
        let ours = ("npm_config_script_shell", "/bin/devrun");
        assert_eq!(chosen(&[ours]), Ok(None));
        assert_eq!(chosen(&[ours, ("DEVRUN_SHELL", "bash")]), Ok(Some("bash".into())));
        let own = chosen(&[("NPM_CONFIG_SCRIPT_SHELL", "/bin/sh"), ours, ("DEVRUN_SHELL", "bash")]);
        assert_eq!(own, Ok(Some("bash".into())), "the later one counts, as for npm");
    }
}
