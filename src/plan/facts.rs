//! What is so around a run: folder, project files, environment. The only part of a plan that reads the machine;
//! it decides nothing.

mod files;
mod shell;
pub(crate) mod tauri;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::Value;

use self::files::{Project, canonical};
use super::request::Request;
use super::{Wanted, config};
use crate::error::Error;

/// What was found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// Canonical.
    pub(crate) cwd: PathBuf,
    pub(crate) package: Option<Package>,
    /// The name in the nearest Cargo.toml (empty in a workspace without one).
    pub(crate) cargo: Option<String>,
    /// The git branch.
    pub(crate) branch: Option<String>,
    /// In a linked git worktree.
    pub(crate) is_worktree: bool,
    /// The environment, as far as it is text.
    pub(crate) env: BTreeMap<String, String>,
    /// Settings of the environment and of files.
    pub(crate) settings: Request,
    /// The program that can be the script shell of package managers; none where it could not hand over to the
    /// user's own.
    pub(crate) shell: Option<PathBuf>,
    /// The script shell that the user has chosen.
    pub(crate) user_shell: Option<OsString>,
    /// The port that a Tauri configuration names.
    pub(crate) tauri: Option<Wanted>,
    /// What the user should hear.
    pub(crate) notes: Vec<String>,
}

/// The nearest package.json.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) dir: PathBuf,
    pub(crate) name: Option<String>,
    pub(crate) scripts: BTreeMap<String, String>,
    pub(crate) astro: bool,
    pub(crate) manager: Manager,
    /// Why it can't be read.
    pub(crate) damaged: Option<String>,
}

/// A package manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manager {
    Npm,
    Pnpm,
    Yarn1,
    Yarn4,
    Bun,
}

/// From where settings are taken, besides the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sources {
    /// `DEVRUN_*`, `devrun.toml`, `package.json#devrun`, and devrun as the script shell: the command line.
    All,
    /// None: the library.
    None,
}

impl Facts {
    /// Looks around.
    pub(crate) fn gather(request: &Request, sources: Sources) -> Result<Facts, Error> {
        let env: BTreeMap<_, _> = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let mut settings = match sources {
            Sources::All => config::from_env(&|name| env.get(name).cloned())?,
            Sources::None => Request::default(),
        };
        let asked = request.cwd.as_ref().or(settings.cwd.as_ref());
        let mut cwd = canonical(asked.map_or(Path::new("."), PathBuf::as_path))?;
        let mut notes = Vec::new();
        if sources == Sources::All {
            let (found, base) = Project::new(&cwd, &mut notes).settings()?;
            if asked.is_none()
                && let (Some(to), Some(base)) = (&found.cwd, base)
            {
                cwd = canonical(&base.join(to))?;
            }
            settings = settings.over(found);
        }
        if env.contains_key("DEVRUN_ID") {
            // The outer devrun has the same files and variables, and does these already.
            (settings.then, settings.detach, settings.open) = (None, None, None);
            if env.get("PORT").is_some_and(|port| env.get("DEVRUN_PORT") == Some(port)) {
                // Its server is this one, and has the port that the files wish for.
                (settings.port, settings.strict_port, settings.restart) = (None, None, None);
                let there = |variable: &str| env.get(variable).is_some_and(|value| !value.is_empty());
                // A port that the command line itself names has to be known here.
                let fills = request.command.iter().any(|word| word.to_string_lossy().starts_with("{port:"));
                settings.port_env.retain(|wish| fills || !there(&wish.variable));
            }
        }
        let mut project = Project::new(&cwd, &mut notes);
        let package = project.up("package.json").map(|(dir, text)| Package::read(dir, &text));
        let cargo = project.up("Cargo.toml").map(|(_, text)| cargo_name(&text));
        notes.extend(package.iter().filter_map(Package::damage));
        let tauri = match sources {
            Sources::All => tauri::wanted(&cwd, &env).unwrap_or_else(|error| {
                notes.push(error.to_string());
                None
            }),
            Sources::None => None,
        };
        let git = git(&cwd);
        let own = (sources == Sources::All).then(|| std::env::current_exe().ok()).flatten();
        let user_shell = shell::user_shell(&env, &cwd, own.as_deref());
        Ok(Facts {
            notes,
            tauri,
            cargo,
            branch: git.branch,
            is_worktree: git.is_worktree,
            package,
            shell: own.filter(|_| user_shell.is_ok()),
            user_shell: user_shell.unwrap_or_default(),
            cwd,
            env,
            settings,
        })
    }

    /// The text of this script of the package.
    pub(crate) fn script(&self, name: &str) -> Option<&str> {
        self.package.as_ref()?.scripts.get(name).map(String::as_str)
    }

    /// The project's name as its files say.
    pub(crate) fn project_name(&self) -> Option<&str> {
        let package = self.package.as_ref().and_then(|package| package.name.as_deref());
        package.or(self.cargo.as_deref()).filter(|name| !name.trim().is_empty())
    }
}

impl Package {
    pub(super) fn read(dir: PathBuf, text: &str) -> Package {
        let manager = manager(&dir, None);
        let empty =
            Package { dir, name: None, scripts: BTreeMap::new(), astro: false, manager, damaged: None };
        match serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')) {
            Ok(value) => Package::from_value(empty, &value),
            Err(error) => Package { damaged: Some(error.to_string()), ..empty },
        }
    }

    fn damage(&self) -> Option<String> {
        let why = self.damaged.as_ref()?;
        Some(format!("{} can't be read and is ignored: {why}", self.dir.join("package.json").display()))
    }

    fn from_value(empty: Package, value: &Value) -> Package {
        let text = |value: &Value| value.as_str().map(str::to_string);
        let scripts = value["scripts"].as_object().into_iter().flatten();
        Package {
            name: text(&value["name"]),
            scripts: scripts.filter_map(|(name, script)| Some((name.clone(), text(script)?))).collect(),
            astro: ["dependencies", "devDependencies"].iter().any(|kind| value[kind]["astro"].is_string()),
            manager: manager(&empty.dir, value["packageManager"].as_str()),
            ..empty
        }
    }
}

/// By the `packageManager` field, else by the lock file here or above.
fn manager(dir: &Path, field: Option<&str>) -> Manager {
    if let Some(field) = field {
        let (name, version) = field.split_once('@').unwrap_or((field, ""));
        match name {
            "npm" => return Manager::Npm,
            "pnpm" => return Manager::Pnpm,
            "bun" => return Manager::Bun,
            "yarn" if version.starts_with("1.") || version == "1" => return Manager::Yarn1,
            "yarn" => return Manager::Yarn4,
            _ => {}
        }
    }
    for dir in dir.ancestors() {
        let has = |name: &str| dir.join(name).exists();
        match () {
            () if has("pnpm-lock.yaml") => return Manager::Pnpm,
            () if has(".yarnrc.yml") => return Manager::Yarn4,
            () if has("yarn.lock") => return Manager::Yarn1,
            () if has("bun.lock") || has("bun.lockb") => return Manager::Bun,
            () if has("package-lock.json") || has(".git") => break,
            () => {}
        }
    }
    Manager::Npm
}

pub(super) fn cargo_name(text: &str) -> String {
    let table: Option<toml::Table> = text.parse().ok();
    let name = table.and_then(|table| table.get("package")?.get("name")?.as_str().map(str::to_string));
    name.unwrap_or_default()
}

/// What git says of a folder.
#[derive(Default)]
struct Git {
    branch: Option<String>,
    is_worktree: bool,
}

/// Without git: `.git` is the repository, or a file that points to it from a linked worktree or a submodule.
fn git(cwd: &Path) -> Git {
    let Some(dot_git) = cwd.ancestors().map(|dir| dir.join(".git")).find(|path| path.exists()) else {
        return Git::default();
    };
    let text = std::fs::read_to_string(&dot_git).unwrap_or_default();
    let target = text.strip_prefix("gitdir:").map(str::trim);
    let repository = target.and_then(|target| Some(dot_git.parent()?.join(target)));
    // A submodule points to `modules/`.
    let is_worktree =
        target.and_then(|target| Path::new(target).parent()?.file_name()) == Some("worktrees".as_ref());
    let head = std::fs::read_to_string(repository.unwrap_or(dot_git).join("HEAD")).unwrap_or_default();
    Git { branch: head.trim().strip_prefix("ref: refs/heads/").map(str::to_string), is_worktree }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Facts of a project in a folder that need not exist, with this package.json.
    pub(crate) fn facts(cwd: &str, package: &str) -> Facts {
        let package = Some(Package::read(cwd.into(), package));
        Facts { cwd: cwd.into(), package, shell: Some("/bin/devrun".into()), ..Facts::default() }
    }

    fn write(dir: &Path, name: &str, text: &str) {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn gather(dir: &Path) -> Result<Facts, Error> {
        Facts::gather(&Request { cwd: Some(dir.into()), ..Request::default() }, Sources::All)
    }

    #[test]
    fn files_are_found_here_and_above_and_devrun_toml_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), ".git/HEAD", "ref: refs/heads/main");
        write(
            dir.path(),
            "package.json",
            r#"{"name": "shop", "scripts": {"dev": "vite"}, "devrun": {"port": 4100, "open": true}}"#,
        );
        write(dir.path(), "pnpm-lock.yaml", "");
        write(dir.path(), "devrun.toml", "port = 4200");
        write(dir.path(), "Cargo.toml", "[package]\nname = \"shop-rs\"");
        write(dir.path(), ".npmrc", "a=b\nscript-shell = bash\n");
        write(dir.path(), "deep/er/x", "");
        let facts = gather(&dir.path().join("deep/er")).unwrap();
        assert_eq!(facts.project_name(), Some("shop"));
        assert_eq!(facts.script("dev"), Some("vite"));
        assert_eq!(facts.package.as_ref().unwrap().manager, Manager::Pnpm);
        assert_eq!(facts.cargo.as_deref(), Some("shop-rs"));
        assert_eq!(facts.settings.port.map(|port| port.get()), Some(4200));
        assert_eq!(facts.settings.open, Some(true));
        assert_eq!((facts.branch.as_deref(), facts.is_worktree), (Some("main"), false));
        assert_eq!(gather(dir.path()).unwrap().user_shell, Some("bash".into()));
    }

    #[test]
    fn a_branch_is_known_and_a_linked_worktree_is_told_from_a_submodule() {
        let dir = tempfile::tempdir().unwrap();
        for (kind, is_worktree) in [("worktrees", true), ("modules", false)] {
            let git = dir.path().join(format!("main/.git/{kind}/w"));
            write(&git, "HEAD", "ref: refs/heads/fix/cart\n");
            write(dir.path(), &format!("{kind}/.git"), &format!("gitdir: {}\n", git.display()));
            let facts = gather(&dir.path().join(kind)).unwrap();
            assert_eq!(facts.branch.as_deref(), Some("fix/cart"));
            assert_eq!(facts.is_worktree, is_worktree);
        }
    }

    #[test]
    fn damage_is_a_note_or_an_error_that_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "package.json", "{\"name\": ");
        let facts = gather(dir.path()).unwrap();
        assert!(facts.notes[0].contains("package.json"), "{:?}", facts.notes);
        write(dir.path(), "package.json", "{\"devrun\": {\"prot\": 1}}");
        assert!(gather(dir.path()).unwrap_err().why().unwrap().contains("`port`"));
        write(dir.path(), "package.json", "{}");
        write(dir.path(), "devrun.toml", "port = ");
        assert!(gather(dir.path()).unwrap_err().what().contains("devrun.toml, line 1"));
        assert!(gather(&dir.path().join("none")).is_err());
        assert!(gather(&dir.path().join("package.json")).unwrap_err().what().contains("not a folder"));
    }
}
