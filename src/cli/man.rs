//! The man page, from the same grammar that parses. Nothing but printing.

use std::io::{self, Write};

use clap::CommandFactory;

/// Writes the man page.
pub(crate) fn write(out: &mut dyn Write) -> io::Result<()> {
    let mut cli = super::args::Cli::command();
    let mut page = Vec::new();
    clap_mangen::Man::new(cli.clone()).render(&mut page)?;
    let mut page = String::from_utf8_lossy(&page).into_owned();
    cli.build();
    for command in cli.get_subcommands_mut() {
        // There is this one page: a subcommand's line says how it is called, not what its own page would be.
        let usage = command.render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").replace('-', "\\-");
        page = page.replace(&format!("devrun\\-{}(1)", command.get_name()), &usage);
    }
    out.write_all(page.as_bytes())
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_option_is_in_the_man_page() {
        let mut page = Vec::new();
        super::write(&mut page).expect("a vector can be written");
        let page = String::from_utf8(page).expect("clap writes text").replace('\\', "");
        for key in crate::plan::request::KEYS {
            assert!(page.contains(&format!("--{key}")), "{key}");
        }
        assert!(page.contains("\ndevrun ls [OPTIONS]\n"), "{page}");
        assert!(!page.contains("(1)"), "no page that is not there: {page}");
    }
}
