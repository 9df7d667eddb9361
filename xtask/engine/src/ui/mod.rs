//! The printer. Results go to stdout, messages to stderr: spinners on a terminal, plain lines elsewhere.
//!
//! No other module prints, and the printer keeps nothing of what it printed.

mod plan;

use std::{
    fmt::Display,
    io::{IsTerminal, Write},
    sync::Arc,
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

use crate::surroundings::{Printer, Stream};

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

/// The printer of one run. Cheap to clone; clones share the terminal.
#[derive(Debug, Clone)]
pub struct Ui {
    bars: MultiProgress,
    terminal: bool,
    verbose: bool,
    /// Whether results are messages.
    is_quiet: bool,
    /// Receives all text, in place of stdout and stderr.
    printer: Option<Arc<dyn Printer>>,
}

/// A step that takes a while. Shows a spinner with the elapsed time until it is done or dropped.
#[derive(Debug)]
pub struct Step {
    ui: Ui,
    name: String,
    started: Instant,
    bar: Option<ProgressBar>,
}

impl Default for Ui {
    fn default() -> Self {
        Self::new()
    }
}

impl Ui {
    /// A printer for this process's stdout and stderr. Colour follows `NO_COLOR` and the terminal.
    #[must_use]
    pub fn new() -> Self {
        let terminal = std::io::stderr().is_terminal() && std::env::var_os("CI").is_none();
        Self { bars: MultiProgress::new(), terminal, verbose: false, is_quiet: false, printer: None }
    }

    /// A printer that passes all text to the given one. It has no terminal.
    #[must_use]
    pub fn to(printer: Arc<dyn Printer>) -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        Self { bars, terminal: false, verbose: false, is_quiet: false, printer: Some(printer) }
    }

    /// Prints long lists in full.
    #[must_use]
    pub fn with_verbosity(self, verbose: bool) -> Self {
        Self { verbose, ..self }
    }

    /// Writes results to stderr: for a step of a command whose own result is another.
    #[must_use]
    pub fn with_results_as_messages(self) -> Self {
        Self { is_quiet: true, ..self }
    }

    /// Whether stderr is a terminal.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Writes a result to stdout, with a newline.
    pub fn result(&self, text: impl Display) {
        if self.is_quiet {
            return self.say(text);
        }
        if self.is_printed_elsewhere(Stream::Result, &text) {
            return;
        }
        self.bars.suspend(|| {
            let mut stdout = anstream::stdout().lock();
            // A closed pipe (`xtask … | head`) is not a failure.
            let _ = writeln!(stdout, "{text}");
        });
    }

    /// Writes a message to stderr.
    pub fn say(&self, text: impl Display) {
        if self.is_printed_elsewhere(Stream::Message, &text) {
            return;
        }
        self.bars.suspend(|| {
            let mut stderr = anstream::stderr().lock();
            let _ = writeln!(stderr, "{text}");
        });
    }

    fn is_printed_elsewhere(&self, stream: Stream, text: &dyn Display) -> bool {
        let Some(printer) = &self.printer else { return false };
        printer.print(stream, &console::strip_ansi_codes(&text.to_string()));
        true
    }

    /// Writes a warning to stderr.
    pub fn warn(&self, text: impl Display) {
        self.say(format_args!("{} {text}", console::style("warning:").yellow().bold()));
    }

    /// Writes an error to stderr: the message, its causes, and a hint.
    pub fn failure(&self, chain: &[String], hint: Option<&str>) {
        let (first, causes) = chain.split_first().map_or(("unknown", &[][..]), |(first, rest)| (first.as_str(), rest));
        self.say(format_args!("{} {first}", console::style("error:").red().bold()));
        for cause in causes {
            self.say(format_args!("  because: {cause}"));
        }
        if let Some(hint) = hint {
            self.say(format_args!("  {} {hint}", console::style("help:").cyan().bold()));
        }
    }

    /// Asks a yes-or-no question on the terminal; `None` without a terminal.
    #[must_use]
    pub fn confirm(&self, question: &str) -> Option<bool> {
        if !self.terminal {
            return None;
        }
        let prompt = || dialoguer::Confirm::new().with_prompt(question).default(false).interact_opt();
        let answer = self.bars.suspend(prompt);
        // Esc and Ctrl-C mean no. Ctrl-C leaves the cursor hidden.
        let _shown = console::Term::stderr().show_cursor();
        Some(answer.ok().flatten().unwrap_or(false))
    }

    /// Starts a step.
    #[must_use]
    pub fn step(&self, name: impl Into<String>) -> Step {
        let name = name.into();
        let bar = self.terminal.then(|| {
            let bar = self.bars.add(ProgressBar::new_spinner());
            bar.set_style(
                ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar.set_message(name.clone());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        if bar.is_none() {
            self.say(format_args!("· {name} …"));
        }
        Step { ui: self.clone(), name, started: Instant::now(), bar }
    }
}

impl Step {
    /// Shows what the step waits for. On a terminal it replaces the last detail; elsewhere it is a line.
    pub fn detail(&self, text: impl Display) {
        match &self.bar {
            Some(bar) => bar.set_message(format!("{}: {text}", self.name)),
            None => self.ui.say(format_args!("    {}: {text}", self.name)),
        }
    }

    /// Writes a line of the step.
    pub fn line(&self, text: impl Display) {
        self.ui.say(format_args!("    {text}"));
    }

    /// Ends the step with its outcome.
    pub fn done(mut self, outcome: impl Display) {
        self.clear();
        let elapsed = self.started.elapsed();
        let mark = console::style("✓").green();
        self.ui.say(format_args!("{mark} {}: {outcome} ({})", self.name, duration(elapsed)));
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Formats a duration: `0.4 s`, `12 s`, `3 min 05 s`.
#[must_use]
pub fn duration(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", elapsed.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

/// Formats a size: `512 B`, `1.4 MB`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_readable_unit() {
        assert_eq!(duration(Duration::from_millis(432)), "0.4 s");
        assert_eq!(duration(Duration::from_secs(12)), "12 s");
        assert_eq!(duration(Duration::from_secs(185)), "3 min 05 s");
    }

    #[test]
    fn sizes_have_a_readable_unit() {
        assert_eq!(size(512), "512 B");
        assert_eq!(size(1_440_000), "1.4 MB");
    }
}
