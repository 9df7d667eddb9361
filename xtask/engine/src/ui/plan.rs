//! Prints plans, wrapped to the terminal.

use console::Term;
use plan::{
    preview::Preview,
    show::{self, TextOptions},
};

use super::Ui;

impl Ui {
    /// Prints a plan as the command's result.
    pub(crate) fn plan_result(&self, preview: &Preview) {
        self.result(show::text(preview, self.text_options(&Term::stdout())).trim_end());
    }

    /// Prints a plan as a message.
    pub(crate) fn say_plan(&self, preview: &Preview) {
        self.say(show::text(preview, self.text_options(&Term::stderr())).trim_end());
    }

    fn text_options(&self, term: &Term) -> TextOptions {
        let default = TextOptions::default();
        let columns = (self.printer.is_none() && term.is_term())
            .then(|| term.size_checked())
            .flatten()
            .map(|(_, columns)| usize::from(columns));
        TextOptions { width: columns.unwrap_or(default.width), verbose: self.verbose }
    }
}
