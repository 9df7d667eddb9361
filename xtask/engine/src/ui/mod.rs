//! The only printer. Results go to stdout, talk to stderr: bars and spinners on a terminal, plain lines elsewhere.

mod plan;

use std::{
    collections::BTreeSet,
    fmt::Display,
    io::{IsTerminal, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::{Map, Value};
use tokio::sync::watch;

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
    running: Arc<Mutex<BTreeSet<String>>>,
    notes: Arc<Mutex<Map<String, Value>>>,
    interrupted: watch::Sender<bool>,
}

/// Hears when the user interrupts.
#[derive(Debug)]
pub struct Interruption(watch::Receiver<bool>);

impl Interruption {
    /// Ends when the user interrupts, or has done so.
    pub async fn heard(&mut self) {
        if self.0.wait_for(|interrupted| *interrupted).await.is_err() {
            // Nobody is left who could tell.
            std::future::pending::<()>().await;
        }
    }
}

/// Something that goes on without us when we are interrupted; forgotten when dropped.
#[derive(Debug)]
pub struct Running {
    what: String,
    all: Arc<Mutex<BTreeSet<String>>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        locked(&self.all).remove(&self.what);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something that takes a while. Shows a spinner with elapsed time until it is finished or dropped.
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
        let (bars, interrupted) = (MultiProgress::new(), watch::Sender::new(false));
        Self { bars, terminal, verbose: false, running: Arc::default(), notes: Arc::default(), interrupted }
    }

    /// Prints long lists in full.
    #[must_use]
    pub fn with_verbosity(self, verbose: bool) -> Self {
        Self { verbose, ..self }
    }

    /// For whoever has something to give back when the user interrupts: as long as this is kept, the end is waited for.
    #[must_use]
    pub fn interruption(&self) -> Interruption {
        Interruption(self.interrupted.subscribe())
    }

    /// Tells that the user interrupts. Does anybody have something to give back?
    #[must_use]
    pub fn interrupt(&self) -> bool {
        self.interrupted.send_replace(true);
        self.interrupted.receiver_count() > 0
    }

    /// Is a person watching stderr?
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Remembers something that goes on without us, to be told when the user presses Ctrl-C.
    #[must_use]
    pub fn running(&self, what: String) -> Running {
        locked(&self.running).insert(what.clone());
        Running { what, all: Arc::clone(&self.running) }
    }

    /// What goes on without us, if anything.
    #[must_use]
    pub fn still_running(&self) -> Option<String> {
        let running = locked(&self.running);
        if running.is_empty() { None } else { Some(running.iter().cloned().collect::<Vec<_>>().join("; ")) }
    }

    /// Remembers something of what the command does, for the record of its job (`--record`).
    pub fn note(&self, name: &str, value: impl Into<Value>) {
        locked(&self.notes).insert(name.to_owned(), value.into());
    }

    /// Adds to a list that is remembered like [`Self::note`].
    pub fn note_also(&self, name: &str, value: impl Into<Value>) {
        let mut notes = locked(&self.notes);
        let list = notes.entry(name).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(value.into());
        }
    }

    /// Everything that was noted.
    #[must_use]
    pub fn notes(&self) -> Map<String, Value> {
        locked(&self.notes).clone()
    }

    /// Writes a result to stdout, with a newline.
    pub fn result(&self, text: impl Display) {
        self.bars.suspend(|| {
            let mut stdout = anstream::stdout().lock();
            // A closed pipe (`xtask … | head`) is the reader's choice, not a failure.
            let _ = writeln!(stdout, "{text}");
        });
    }

    /// Writes a line of talk to stderr.
    pub fn say(&self, text: impl Display) {
        self.bars.suspend(|| {
            let mut stderr = anstream::stderr().lock();
            let _ = writeln!(stderr, "{text}");
        });
    }

    /// Writes a warning to stderr.
    pub fn warn(&self, text: impl Display) {
        self.say(format_args!("{} {text}", console::style("warning:").yellow().bold()));
    }

    /// Writes why a command failed to stderr: what happened, what caused it, what to do now.
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

    /// Asks a yes-or-no question on the terminal. Without a terminal nobody can answer: `None`.
    #[must_use]
    pub fn confirm(&self, question: &str) -> Option<bool> {
        if !self.terminal {
            return None;
        }
        let ask = || dialoguer::Confirm::new().with_prompt(question).default(false).interact_opt();
        let answer = self.bars.suspend(ask);
        // Esc and Ctrl-C are a no. The latter leaves the cursor hidden.
        let _shown = console::Term::stderr().show_cursor();
        Some(answer.ok().flatten().unwrap_or(false))
    }

    /// Starts a step that takes a while.
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
    /// Says what the step is waiting for now. On a terminal this replaces the last detail; elsewhere each
    /// detail is a line.
    pub fn detail(&self, text: impl Display) {
        match &self.bar {
            Some(bar) => bar.set_message(format!("{}: {text}", self.name)),
            None => self.ui.say(format_args!("    {}: {text}", self.name)),
        }
    }

    /// Writes a line that stays, below the lines before it.
    pub fn line(&self, text: impl Display) {
        self.ui.say(format_args!("    {text}"));
    }

    /// Ends the step, with what came of it.
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

/// A duration as people say it: `0.4 s`, `12 s`, `3 min 05 s`.
#[must_use]
pub fn duration(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", elapsed.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

/// A size as people say it: `512 B`, `1.4 MB`.
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
    fn durations_read_well() {
        assert_eq!(duration(Duration::from_millis(432)), "0.4 s");
        assert_eq!(duration(Duration::from_secs(12)), "12 s");
        assert_eq!(duration(Duration::from_secs(185)), "3 min 05 s");
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(size(512), "512 B");
        assert_eq!(size(1_440_000), "1.4 MB");
    }
}
