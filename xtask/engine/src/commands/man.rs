//! `man`: the manual page.

use std::io::{self, Write};

use clap::{Args, Command};
use clap_mangen::Man;
use miette::IntoDiagnostic;

use crate::{cli, context::Context, error::Exit};

/// Arguments of `man`.
#[derive(Debug, Args)]
#[command(
    after_help = "Read it with `cargo xtask man | man -l -`, or install it as cargo-xtask.1 in a folder of $MANPATH."
)]
pub(crate) struct ManArgs {}

/// Runs the command.
///
/// # Errors
///
/// Never; commands share a signature.
pub(crate) fn run(_args: &ManArgs, context: &Context) -> miette::Result<Exit> {
    let page = page(cli::command(&context.application)).into_diagnostic()?;
    context.ui.result(page.trim_end());
    Ok(Exit::Success)
}

/// One page: the tool, then a section for every command.
fn page(mut command: Command) -> io::Result<String> {
    command.build();
    let mut page = Vec::new();
    let man = Man::new(command.clone()).title("cargo-xtask");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    sections(&command, &mut page)?;
    man.render_extra_section(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn sections(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        writeln!(page, ".SH \"{}\"", verb.get_bin_name().unwrap_or_else(|| verb.get_name()).to_uppercase())?;
        let man = Man::new(verb.clone());
        let mut section = Vec::new();
        man.render_description_section(&mut section)?;
        man.render_synopsis_section(&mut section)?;
        man.render_options_section(&mut section)?;
        man.render_extra_section(&mut section)?;
        page.extend(String::from_utf8_lossy(&section).replace(".SH ", ".SS ").into_bytes());
        sections(verb, page)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use model::example::Example;

    use super::*;
    use crate::application::Application;

    #[test]
    fn the_page_has_a_section_for_every_command() {
        let page = page(cli::command(&Application::new(Example))).expect("rendered");
        assert!(page.contains("\n.TH cargo-xtask 1 "), "{page}");
        for verb in cli::command(&Application::new(Example)).get_subcommands() {
            let heading = format!("\n.SH \"CARGO XTASK {}\"\n", verb.get_name().to_uppercase());
            assert_eq!(page.matches(&heading).count(), 1, "{heading}");
        }
        assert!(page.contains("\n.SH \"CARGO XTASK LOCK BREAK\"\n"), "{page}");
        assert!(page.contains("\n\\fB\\-\\-stage\\fR"), "{page}");
    }
}
