//! The man page, from the same grammar that parses. Nothing but printing.

use std::io::{self, Write};

use clap::CommandFactory;

/// Writes the man page.
pub(crate) fn write(out: &mut dyn Write) -> io::Result<()> {
    clap_mangen::Man::new(super::args::Cli::command()).render(out)
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
    }
}
