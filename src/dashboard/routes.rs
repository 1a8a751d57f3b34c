//! What can be asked: method and path to route. Pure, and the only list of paths there is.

use super::assets::Asset;
use super::guard::Protection;
use crate::plan::ServerId;
use crate::registry::server_id;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Page,
    Asset(Asset),
    Health,
    /// Whether the caller is let in.
    Session,
    /// Let in whoever has a code.
    Enter,
    /// A code for another browser.
    Invite,
    Servers,
    Server(ServerId),
    Logs(ServerId),
    Act(Action, ServerId),
    StopAll,
    Clean,
    Events,
    Schema,
}

/// What can be done with one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Start,
    Stop,
    Restart,
    Forget,
}

/// Why a request has no route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoRoute {
    Path,
    /// The path is right; this is the method to ask it with.
    Method(&'static str),
}

impl Route {
    pub(super) fn protection(&self) -> Protection {
        let (open, page) = match self {
            Route::Asset(asset) => (asset.is_open(), false),
            Route::Health | Route::Enter => (true, false),
            Route::Page => (false, true),
            Route::Session
            | Route::Invite
            | Route::Servers
            | Route::Server(_)
            | Route::Logs(_)
            | Route::Act(..)
            | Route::StopAll
            | Route::Clean
            | Route::Events
            | Route::Schema => (false, false),
        };
        Protection { open, changes: self.method() == "POST", page }
    }

    fn method(&self) -> &'static str {
        match self {
            Route::Enter | Route::Invite | Route::Act(..) | Route::StopAll | Route::Clean => "POST",
            Route::Page
            | Route::Asset(_)
            | Route::Health
            | Route::Session
            | Route::Servers
            | Route::Server(_)
            | Route::Logs(_)
            | Route::Events
            | Route::Schema => "GET",
        }
    }
}

/// The route of this request. A path is taken as it stands: nothing is decoded, and no part leads to a file.
pub(super) fn find(method: &str, path: &str) -> Result<Route, NoRoute> {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let id = |text: &str| server_id(text).ok_or(NoRoute::Path);
    let routes = match parts.as_slice() {
        [""] => vec![Route::Page],
        ["open", text] => vec![id(text).map(|_| Route::Page)?],
        ["api", "health"] => vec![Route::Health],
        ["api", "session"] => vec![Route::Session, Route::Enter],
        ["api", "codes"] => vec![Route::Invite],
        ["api", "servers"] => vec![Route::Servers],
        ["api", "servers", text] => vec![Route::Server(id(text)?)],
        ["api", "servers", text, "logs"] => vec![Route::Logs(id(text)?)],
        ["api", "servers", text, word] => {
            let action = match *word {
                "start" => Action::Start,
                "stop" => Action::Stop,
                "restart" => Action::Restart,
                "forget" => Action::Forget,
                _ => return Err(NoRoute::Path),
            };
            vec![Route::Act(action, id(text)?)]
        }
        ["api", "stop"] => vec![Route::StopAll],
        ["api", "clean"] => vec![Route::Clean],
        ["api", "events"] => vec![Route::Events],
        ["api", "openapi.json"] => vec![Route::Schema],
        [name] => vec![Route::Asset(Asset::named(name).ok_or(NoRoute::Path)?)],
        _ => return Err(NoRoute::Path),
    };
    let other = match routes.as_slice() {
        [only] => only.method(),
        _ => "GET, POST",
    };
    routes.into_iter().find(|route| route.method() == method).ok_or(NoRoute::Method(other))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0123456789abcdef";

    #[test]
    fn every_path_has_its_route_and_no_other_has_one() {
        let id = ServerId(ID.into());
        let table = [
            ("GET", "/", Ok(Route::Page)),
            ("GET", "/open/0123456789abcdef", Ok(Route::Page)),
            ("GET", "/style.css", Ok(Route::Asset(Asset::named("style.css").unwrap()))),
            ("GET", "/api/servers", Ok(Route::Servers)),
            ("GET", "/api/servers/0123456789abcdef", Ok(Route::Server(id.clone()))),
            ("POST", "/api/servers/0123456789abcdef/stop", Ok(Route::Act(Action::Stop, id))),
            ("GET", "/api/servers/0123456789abcdef/stop", Err(NoRoute::Method("POST"))),
            ("HEAD", "/api/servers", Err(NoRoute::Method("GET"))),
            ("POST", "/", Err(NoRoute::Method("GET"))),
            ("DELETE", "/api/session", Err(NoRoute::Method("GET, POST"))),
            ("POST", "/api/session", Ok(Route::Enter)),
        ];
        for (method, path, expected) in table {
            assert_eq!(find(method, path), expected, "{method} {path}");
        }
        for path in [
            "",
            "*",
            "//",
            "/api",
            "/api/",
            "/api/servers/",
            "/api/servers/../../lock",
            "/api/servers/%2e%2e/logs",
            "/api/servers/0123456789ABCDEF",
            "/api/servers/0123456789abcde",
            "/api/servers/0123456789abcdef/",
            "/api/servers/0123456789abcdef/log",
            "/api/servers/0123456789abcdef\0/logs",
            "/open/x",
            "/../dashboard.json",
            "/dashboard.json",
            "/index.html/x",
        ] {
            assert_eq!(find("GET", path), Err(NoRoute::Path), "{path}");
        }
    }

    #[test]
    fn the_schema_and_the_routes_name_the_same_paths_and_methods() {
        let schema: serde_json::Value = serde_json::from_str(super::super::assets::SCHEMA).unwrap();
        let mut count = 0;
        for (path, methods) in schema["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                find(&method.to_uppercase(), &path.replace("{id}", ID))
                    .unwrap_or_else(|e| panic!("{path}: {e:?}"));
                count += 1;
            }
        }
        // Health, session (2), codes, servers (2), logs, four actions, stop, clean, events, the schema.
        assert_eq!(count, 15);
    }

    proptest! {
        #![proptest_config(crate::testing::properties())]

        #[test]
        fn no_path_leads_to_a_server_but_by_its_id(path in "(/|/api|/servers|/open|/logs|/stop|\\.\\.|%2e|[0-9a-f]{15,17}|[a-z.]{1,9}|.){0,6}", method in "GET|POST|PUT|.*") {
            if let Ok(Route::Server(id) | Route::Logs(id) | Route::Act(_, id)) = find(&method, &path) {
                prop_assert!(id.0.len() == 16 && id.0.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
            }
            if let Ok(route) = find(&method, &path) {
                prop_assert_eq!(route.protection().changes, method == "POST");
            }
        }
    }
}
