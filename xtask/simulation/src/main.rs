//! `simulate`: plays random histories of a simulated stage, on all cores, and reports violations.

use std::{
    io::Write,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use camino::Utf8PathBuf;
use clap::Parser;
use simulation::{
    history::History,
    report::{self, Found, Played, Totals},
    run::{Outcome, run},
    shrink::shrink,
    world::Tools,
};

/// Play random histories of a simulated stage and check the invariants.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many histories to play [default: at least 1000, and as many as fit in three minutes].
    #[arg(long)]
    seeds: Option<u64>,
    /// Play the history of this seed alone, and print its log.
    #[arg(long, conflicts_with_all = ["from", "minutes"])]
    seed: Option<u64>,
    /// Play this history, printed by an earlier run, instead of a random one.
    #[arg(long, value_name = "JSON", conflicts_with_all = ["seed", "from", "minutes"])]
    history: Option<String>,
    /// The first seed [default: made of the date, so that each day plays other histories].
    #[arg(long)]
    from: Option<u64>,
    /// Stop after this time.
    #[arg(long)]
    minutes: Option<f64>,
    /// Write the log of a single history to this file.
    #[arg(long, value_name = "FILE")]
    log: Option<Utf8PathBuf>,
    /// How many threads play [default: one per core].
    #[arg(long)]
    threads: Option<usize>,
    /// How many histories are tried to shorten one that violates an invariant.
    #[arg(long, default_value_t = 200)]
    shrink: usize,
    /// Stop at the first violation.
    #[arg(long)]
    first: bool,
    /// Write the number of histories and the violation with the lowest seed to this file, as JSON.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "history"])]
    result: Option<Utf8PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match play(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("failed to play: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Returns whether no invariant was violated.
fn play(arguments: &Arguments) -> std::io::Result<bool> {
    let single = match (&arguments.history, arguments.seed) {
        (Some(text), _) => Some(serde_json::from_str(text).map_err(std::io::Error::other)?),
        (None, seed) => seed.map(History::random),
    };
    match single {
        Some(history) => play_one(&history, arguments),
        None => play_many(arguments),
    }
}

fn play_one(history: &History, arguments: &Arguments) -> std::io::Result<bool> {
    let tools = Tools::new()?;
    let outcome = run(history, &tools);
    match &arguments.log {
        Some(file) => fs_err::write(file, &outcome.log)?,
        None => say(&outcome.log),
    }
    if outcome.violations.is_empty() {
        say(&format!("{} calls, no violation\n", outcome.calls));
        return Ok(true);
    }
    say(&describe(history, &outcome, arguments.shrink, &tools));
    Ok(false)
}

fn describe(history: &History, outcome: &Outcome, limit: usize, tools: &Tools) -> String {
    let invariant = outcome.violations.first().map(|violation| violation.invariant);
    let shortest = invariant.filter(|_| limit > 0).map(|invariant| shrink(history, invariant, limit, tools).history);
    report::violation(history.seed, &outcome.violations, shortest.as_ref())
}

/// How many histories are played without an option, at least.
const LEAST: u64 = 1000;
/// How many minutes are played without an option, at least.
const MINUTES: f64 = 3.0;

/// How long histories are played.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// So many are played, however long they take.
    least: u64,
    /// No more are played.
    most: u64,
    /// No further one begins after this time.
    until: Option<Instant>,
}

impl Span {
    fn of(arguments: &Arguments, started: Instant) -> Self {
        let after = |minutes: f64| started + Duration::from_secs_f64(minutes * 60.0);
        match (arguments.seeds, arguments.minutes) {
            (None, None) => Self { least: LEAST, most: u64::MAX, until: Some(after(MINUTES)) },
            (seeds, minutes) => Self { least: 0, most: seeds.unwrap_or(u64::MAX), until: minutes.map(after) },
        }
    }

    /// Whether another history is played after so many.
    fn has_more(self, played: u64) -> bool {
        played < self.most && (played < self.least || self.until.is_none_or(|until| Instant::now() < until))
    }
}

/// What the threads share.
struct Shared<'a> {
    arguments: &'a Arguments,
    from: u64,
    next: AtomicU64,
    span: Span,
    totals: Mutex<Totals>,
    played: Mutex<Played>,
}

fn play_many(arguments: &Arguments) -> std::io::Result<bool> {
    let from = arguments.from.unwrap_or_else(todays_seed);
    let threads =
        arguments.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1);
    say(&format!("histories from seed {from}; repeat them with --from {from}\n"));
    let started = Instant::now();
    let span = Span::of(arguments, started);
    let shared = Shared {
        arguments,
        from,
        next: AtomicU64::new(from),
        span,
        totals: Mutex::default(),
        played: Mutex::default(),
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| work(&shared))).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|_| Err(std::io::Error::other("a thread panicked"))))
    })?;
    let totals = shared.totals.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut played = shared.played.into_inner().unwrap_or_else(PoisonError::into_inner);
    if played.found.is_none() {
        played.histories = totals.histories;
    }
    if let Some(file) = &arguments.result {
        fs_err::write(file, serde_json::to_string_pretty(&played).map_err(std::io::Error::other)?)?;
    }
    say(&totals.table(started.elapsed(), threads));
    Ok(totals.violating == 0)
}

fn work(shared: &Shared<'_>) -> std::io::Result<()> {
    let tools = Tools::new()?;
    loop {
        let seed = shared.next.fetch_add(1, Ordering::Relaxed);
        if !shared.span.has_more(seed - shared.from) {
            return Ok(());
        }
        // Lower seeds are being played: one of them may violate an invariant too.
        let is_over = shared.played.lock().unwrap_or_else(PoisonError::into_inner).is_before(seed);
        if shared.arguments.first && is_over {
            return Ok(());
        }
        let history = History::random(seed);
        let outcome = run(&history, &tools);
        shared.totals.lock().unwrap_or_else(PoisonError::into_inner).add(&outcome);
        if !outcome.violations.is_empty() {
            let found = Found { seed, violations: outcome.violations.clone() };
            shared.played.lock().unwrap_or_else(PoisonError::into_inner).add(found, shared.from);
            say(&describe(&history, &outcome, shared.arguments.shrink, &tools));
        }
    }
}

/// A number made of the date: `20261130000000`.
fn todays_seed() -> u64 {
    let today = jiff::Zoned::now().date();
    let number = i64::from(today.year()) * 10_000 + i64::from(today.month()) * 100 + i64::from(today.day());
    u64::try_from(number).unwrap_or_default() * 1_000_000
}

fn say(text: &str) {
    // A reader that has gone needs no text.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}
