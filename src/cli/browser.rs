//! Opening the user's browser. It is the user's: it never belongs to the tree of a server.

use crate::sys;

/// Shows this URL with the programs of BROWSER (several are separated by `:`, `%s` stands for the URL, `none` is a
/// wish to be left alone), else with the system's. Whether there was one.
pub(crate) fn open(url: &str) -> bool {
    // A record is a file: what stands there as a URL must not become anything else.
    (url.starts_with("http://") || url.starts_with("https://")) && show(url)
}

/// The same for a page of our own making.
#[cfg(feature = "dashboard")]
pub(crate) fn open_file(page: &std::path::Path) -> bool {
    page.to_str().is_some_and(|page| show(&format!("file://{page}")))
}

fn show(url: &str) -> bool {
    let wished = std::env::var("BROWSER").unwrap_or_default();
    if wished == "none" {
        return false;
    }
    let wished = wished.split(':').filter_map(|line| command(line, url));
    let usual = sys::URL_OPENERS.iter().map(|(program, args)| {
        let args = args.iter().copied().chain([url]).map(str::to_string).collect();
        ((*program).to_string(), args)
    });
    wished.chain(usual).any(|(program, args): (String, Vec<String>)| {
        let started = which::which(&program).is_ok()
            && sys::start_apart(&program, args.iter().map(String::as_str)).is_ok();
        tracing::info!(target: "devrun::browser", program, started);
        started
    })
}

/// One command of BROWSER.
fn command(line: &str, url: &str) -> Option<(String, Vec<String>)> {
    let mut words = line.split_whitespace().map(str::to_string);
    let program = words.next()?;
    let mut args: Vec<String> = words.collect();
    match args.iter().any(|word| word.contains("%s")) {
        true => args.iter_mut().for_each(|word| *word = word.replace("%s", url)),
        false => args.push(url.to_string()),
    }
    Some((program, args))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_an_argument_whatever_it_holds() {
        let shown =
            |line: &str| command(line, "http://x/;rm -rf").map(|(program, args)| (program, args.join("|")));
        assert_eq!(shown("firefox"), Some(("firefox".into(), "http://x/;rm -rf".into())));
        assert_eq!(shown("w3m -o a=b %s"), Some(("w3m".into(), "-o|a=b|http://x/;rm -rf".into())));
        assert_eq!(shown(" "), None);
        for no_url in ["file:///etc/passwd", "javascript:1", "--version", ""] {
            assert!(!open(no_url), "{no_url}");
        }
    }
}
