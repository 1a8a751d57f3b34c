//! What `--then` is to execute: the user's line for the shell, with the server's place filled in. Pure.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::inject::INJECT;
use super::look::HOST;
use super::{CommandLine, Plan, Port, Then};

impl Plan {
    /// The command for a server that answers at this URL and has these further ports, by name; a line goes to this
    /// shell, behind its arguments.
    ///
    /// The folders of `node_modules/.bin` come after those of PATH, as for the server's own command. What a devrun
    /// around this one has set for its own server is taken away: to a devrun within the line DEVRUN_PORT would say
    /// that its server is this one.
    pub(crate) fn then_command(
        &self,
        then: &Then,
        url: &str,
        extra: &BTreeMap<String, Port>,
        shell: (&str, &[&str]),
    ) -> CommandLine {
        let port = Port::written_in(url).unwrap_or_default();
        let filled = |text: &str| {
            let mut text = text.replace("{url}", url).replace("{port}", port).replace("{host}", HOST);
            for (name, port) in extra {
                text = text.replace(&format!("{{port:{name}}}"), &port.to_string());
            }
            OsString::from(text.replace("{name}", &one_word(&self.name)))
        };
        let mut words: Vec<OsString> = match then {
            Then::Line(line) => {
                let (program, args) = shell;
                [program].iter().chain(args).map(OsString::from).chain([filled(line)]).collect()
            }
            Then::Program(words) => {
                words.iter().map(|word| word.to_str().map_or_else(|| word.clone(), filled)).collect()
            }
        };
        let args = words.split_off(1);
        let set = [("PORT", port), ("BASE_URL", url), ("DEVRUN_URL", url)];
        let taken_away = ["DEVRUN_PORT", "DEVRUN_NAME", INJECT];
        let env = set.map(|(name, value)| (name.into(), Some(value.into()))).into_iter();
        let env = env.chain(self.ports.extra.iter().flat_map(|port| {
            let value = extra.get(&port.name).map(|port| OsString::from(port.to_string()));
            port.variables.iter().map(move |variable| (variable.into(), value.clone()))
        }));
        CommandLine {
            program: words.pop().expect("a command has a program"),
            args,
            env: env.chain(taken_away.map(|name| (name.into(), None))).collect(),
        }
    }
}

/// The name without what a shell takes for more than a letter.
fn one_word(name: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "._-@:/+".contains(letter);
    name.chars().map(|letter| if plain(letter) { letter } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::facts::tests::facts;
    use crate::plan::{Request, make, values};

    #[test]
    fn the_servers_place_is_filled_in_and_its_name_is_no_code() {
        let request = Request {
            command: vec!["vite".into()],
            name: Some("shop:web@fix $(rm -rf ~);'\"`".into()),
            port_env: vec![values::port_variable("API_PORT=api").unwrap()],
            ..Request::default()
        };
        let plan = make(request, &facts("/home/me/shop", "{}")).unwrap();
        let line = "curl {url}/x {port} {port:api} {host} {name} {other}";
        let extra = BTreeMap::from([("api".to_string(), Port::new(4124).unwrap())]);
        let shell: (&str, &[&str]) = ("/bin/sh", &["-c"]);
        let command = plan.then_command(&Then::Line(line.into()), "http://localhost:4123", &extra, shell);
        assert_eq!(command.program, "/bin/sh");
        let expected =
            "curl http://localhost:4123/x 4123 4124 127.0.0.1 shop:web@fix---rm--rf------- {other}";
        assert_eq!(command.args, ["-c", expected]);
        assert!(command.env.contains(&("PORT".into(), Some("4123".into()))));
        assert!(command.env.contains(&("API_PORT".into(), Some("4124".into()))));
        assert!(command.env.contains(&("BASE_URL".into(), Some("http://localhost:4123".into()))));
        assert!(
            command.env.contains(&("DEVRUN_PORT".into(), None)),
            "an outer devrun's is not this server's"
        );
    }
}
