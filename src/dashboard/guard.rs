//! Who may ask: host, origin and token of a request. Pure; nothing here knows what the request asks for.

use std::hint::black_box;

/// What a request says of where it comes from.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Caller<'a> {
    /// All of them: a request with two is refused.
    pub(super) hosts: &'a [&'a str],
    pub(super) origin: Option<&'a str>,
    /// `Sec-Fetch-Site`, which pages can't set.
    pub(super) fetch_site: Option<&'a str>,
    pub(super) cookies: Option<&'a str>,
    /// `Authorization`.
    pub(super) authorization: Option<&'a str>,
}

/// What the guard has to know of the route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Protection {
    /// Anybody may ask, from anywhere on this machine.
    pub(super) open: bool,
    /// It does something.
    pub(super) changes: bool,
    /// Links from elsewhere may lead there.
    pub(super) page: bool,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Host,
    Origin,
    Token,
}

impl Refusal {
    pub(super) fn text(self) -> &'static str {
        match self {
            Refusal::Host => "this name is not the dashboard's",
            Refusal::Origin => "pages of other origins may not ask the dashboard",
            Refusal::Token => "a valid token is missing",
        }
    }
}

/// Decides about one request to the dashboard on this port.
pub(super) fn check(caller: &Caller, protection: Protection, port: u16, token: &str) -> Result<(), Refusal> {
    // A page that made its own name point here (DNS rebinding) still asks by that name.
    let [host] = caller.hosts else { return Err(Refusal::Host) };
    if ![format!("127.0.0.1:{port}"), format!("localhost:{port}")].contains(&host.to_lowercase()) {
        return Err(Refusal::Host);
    }
    let own = format!("http://{}", host.to_lowercase());
    if caller.origin.is_some_and(|origin| origin != own) {
        return Err(Refusal::Origin);
    }
    let foreign = caller.fetch_site.is_some_and(|site| !matches!(site, "same-origin" | "none"));
    if foreign && !protection.page {
        return Err(Refusal::Origin);
    }
    let bearer = caller.authorization.and_then(|value| value.strip_prefix("Bearer "));
    // A browser adds the cookie by itself, also to what another page asks for, and then it names that page.
    if protection.changes && bearer.is_none() && caller.origin.is_none() {
        return Err(Refusal::Origin);
    }
    let name = cookie_name(port);
    let cookies = caller.cookies.into_iter().flat_map(|all| all.split(';'));
    let mut cookie = cookies.filter_map(|one| one.trim().strip_prefix(name.as_str())?.strip_prefix('='));
    let given = bearer.or_else(|| cookie.next());
    match protection.open || given.is_some_and(|given| same(given, token)) {
        true => Ok(()),
        false => Err(Refusal::Token),
    }
}

/// Cookies know no port: each dashboard on this machine has a name of its own.
pub(super) fn cookie_name(port: u16) -> String {
    format!("devrun_{port}")
}

/// Takes as long for a token that is wrong in its first character as for one that is wrong in its last.
pub(super) fn same(given: &str, token: &str) -> bool {
    let differences = given.bytes().zip(token.bytes()).fold(0, |all, (a, b)| black_box(all | (a ^ b)));
    given.len() == token.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOKEN: &str = "0123456789abcdef";
    const READ: Protection = Protection { open: false, changes: false, page: false };
    const CHANGE: Protection = Protection { open: false, changes: true, page: false };
    const PAGE: Protection = Protection { open: false, changes: false, page: true };
    const OPEN: Protection = Protection { open: true, changes: false, page: false };
    const ENTER: Protection = Protection { open: true, changes: true, page: false };

    #[test]
    fn only_the_own_page_and_who_has_the_token_may_ask() {
        let here = Caller { hosts: &["127.0.0.1:8069"], ..Caller::default() };
        let page = Caller {
            cookies: Some("a=b; devrun_8069=0123456789abcdef; c"),
            fetch_site: Some("same-origin"),
            ..here
        };
        let acting = Caller { origin: Some("http://127.0.0.1:8069"), ..page };
        let tool = Caller { authorization: Some("Bearer 0123456789abcdef"), ..here };
        let table = [
            (page, READ, Ok(())),
            (acting, CHANGE, Ok(())),
            (tool, READ, Ok(())),
            (tool, CHANGE, Ok(())),
            (Caller { hosts: &["LOCALHOST:8069"], ..tool }, READ, Ok(())),
            (here, OPEN, Ok(())),
            (here, READ, Err(Refusal::Token)),
            (Caller { cookies: Some("devrun_8068=0123456789abcdef"), ..page }, READ, Err(Refusal::Token)),
            (Caller { cookies: Some("xdevrun_8069=0123456789abcdef"), ..page }, READ, Err(Refusal::Token)),
            (Caller { cookies: Some("devrun_8069="), ..page }, READ, Err(Refusal::Token)),
            (Caller { authorization: Some("Bearer 0123456789abcdee"), ..here }, READ, Err(Refusal::Token)),
            (Caller { authorization: Some("Bearer "), ..here }, READ, Err(Refusal::Token)),
            (Caller { authorization: Some("Basic 0123456789abcdef"), ..here }, READ, Err(Refusal::Token)),
            // A wrong token in the one place is not made good by a right one in the other.
            (Caller { authorization: Some("Bearer x"), ..page }, READ, Err(Refusal::Token)),
            (Caller { hosts: &["evil.example:8069"], ..tool }, READ, Err(Refusal::Host)),
            (Caller { hosts: &["evil.example:8069"], ..here }, OPEN, Err(Refusal::Host)),
            (Caller { hosts: &["127.0.0.1"], ..tool }, READ, Err(Refusal::Host)),
            (Caller { hosts: &["127.0.0.1:8070"], ..tool }, READ, Err(Refusal::Host)),
            (Caller { hosts: &["127.0.0.1:8069", "127.0.0.1:8069"], ..tool }, READ, Err(Refusal::Host)),
            (Caller { hosts: &[], ..tool }, READ, Err(Refusal::Host)),
            (Caller { origin: Some("http://evil.example"), ..page }, READ, Err(Refusal::Origin)),
            (Caller { origin: Some("http://localhost:8069"), ..page }, READ, Err(Refusal::Origin)),
            (Caller { origin: Some("http://127.0.0.1:3000"), ..acting }, CHANGE, Err(Refusal::Origin)),
            (Caller { origin: Some("null"), ..acting }, CHANGE, Err(Refusal::Origin)),
            (Caller { origin: Some("null"), ..tool }, CHANGE, Err(Refusal::Origin)),
            (Caller { origin: Some("https://127.0.0.1:8069"), ..acting }, CHANGE, Err(Refusal::Origin)),
            // A form of an old browser, which names no origin.
            (page, CHANGE, Err(Refusal::Origin)),
            (here, ENTER, Err(Refusal::Origin)),
            (Caller { origin: Some("http://127.0.0.1:8069"), ..here }, ENTER, Ok(())),
            // A server's own page on another port of this host is the same site, and no friend.
            (Caller { fetch_site: Some("same-site"), ..page }, READ, Err(Refusal::Origin)),
            (Caller { fetch_site: Some("cross-site"), ..page }, READ, Err(Refusal::Origin)),
            (Caller { fetch_site: Some("cross-site"), ..here }, OPEN, Err(Refusal::Origin)),
            (Caller { fetch_site: Some("cross-site"), ..page }, PAGE, Ok(())),
            (Caller { fetch_site: Some("none"), ..page }, PAGE, Ok(())),
        ];
        for (caller, protection, expected) in table {
            assert_eq!(check(&caller, protection, 8069, TOKEN), expected, "{caller:?} {protection:?}");
        }
    }

    #[test]
    fn tokens_are_the_same_or_not() {
        for (given, expected) in [("abc", true), ("abd", false), ("ab", false), ("abcd", false), ("", false)]
        {
            assert_eq!(same(given, "abc"), expected, "{given}");
        }
    }

    proptest! {
        #![proptest_config(crate::testing::properties())]

        #[test]
        fn nobody_gets_in_without_the_token_and_nothing_is_changed_by_another_origin(
            host in "(127\\.0\\.0\\.1|localhost|LocalHost|evil|.{0,9})(:8069|:80|)",
            origin in proptest::option::of("(https?://(localhost|127\\.0\\.0\\.1|evil)(:8069)?|null|.*)"),
            fetch_site in proptest::option::of("same-origin|none|same-site|cross-site|"),
            cookies in proptest::option::of("([a-z; =]|devrun_8069=|0123456789abcde){0,9}"),
            authorization in proptest::option::of("(Bearer |Basic |)[0-9a-e]{0,15}"),
            changes: bool,
            page: bool,
        ) {
            let caller = Caller {
                hosts: &[&host],
                origin: origin.as_deref(),
                fetch_site: fetch_site.as_deref(),
                cookies: cookies.as_deref(),
                authorization: authorization.as_deref(),
            };
            let protection = |open| Protection { open, changes, page };
            prop_assert!(check(&caller, protection(false), 8069, TOKEN).is_err());
            let with_token = Caller { authorization: Some("Bearer 0123456789abcdef"), ..caller };
            for caller in [caller, with_token] {
                if check(&caller, protection(true), 8069, TOKEN).is_ok() {
                    let own = ["127.0.0.1:8069", "localhost:8069"].contains(&host.to_lowercase().as_str());
                    let same = origin.as_ref().is_none_or(|o| *o == format!("http://{}", host.to_lowercase()));
                    prop_assert!(own && same, "{caller:?}");
                }
            }
        }
    }
}
