//! What every command says of itself.

use std::fmt::Write;

use clap::CommandFactory;
use xtask::cli::Cli;

#[test]
fn every_command_says_what_it_does() {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut pages = String::new();
    page(&mut command, &mut pages);
    insta::assert_snapshot!("help", pages);
}

fn page(command: &mut clap::Command, pages: &mut String) {
    let text = command.render_help().to_string();
    // Where a line ends in a space, an editor would take it away.
    for line in text.lines() {
        writeln!(pages, "{}", line.trim_end()).expect("writing to a string");
    }
    writeln!(pages, "\n----\n").expect("writing to a string");
    for subcommand in command.get_subcommands_mut().filter(|subcommand| subcommand.get_name() != "help") {
        page(subcommand, pages);
    }
}
