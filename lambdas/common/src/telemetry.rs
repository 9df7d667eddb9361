//! Log lines: JSON on stdout, which Lambda forwards to CloudWatch. They must never contain presigned URLs or tokens.

use tracing::{Level, Subscriber};
use tracing_subscriber::{
    filter::Targets,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
};

/// The optional variable with the log level of the function's own code.
const LEVEL: &str = "LOG_LEVEL";

/// Starts writing log lines to stdout. `LOG_LEVEL`, by default `INFO`, applies to the crate of `system`.
///
/// The level of all other crates is fixed: the SDK's debug lines contain request signatures.
pub(crate) fn initialize(system: &str) {
    let level = std::env::var(LEVEL).ok().and_then(|level| level.parse().ok()).unwrap_or(Level::INFO);
    // Only a second call fails, and then logging is already set up.
    let _ = tracing::subscriber::set_global_default(subscriber(std::io::stdout, system, level));
}

/// Writes one JSON object per line, with the runtime's request ID in `span`.
pub(crate) fn subscriber<W>(writer: W, system: &str, level: Level) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // A crate has the name of its system, with underscores instead of hyphens.
    let own = Targets::new().with_default(Level::INFO).with_target(system.replace('-', "_"), level);
    let lines = fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(writer);
    tracing_subscriber::registry().with(lines).with(own)
}

/// Formats an error and its causes on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Captures log lines in tests.
#[cfg(test)]
pub(crate) mod capture {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use tracing::Level;

    /// The written lines.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Lines {
        /// Captures this thread's log lines while the guard exists.
        pub(crate) fn listen(&self) -> tracing::subscriber::DefaultGuard {
            let lines = self.clone();
            tracing::subscriber::set_default(super::subscriber(move || lines.clone(), "common", Level::INFO))
        }

        /// Returns a JSON value per line.
        pub(crate) fn values(&self) -> Vec<serde_json::Value> {
            let written = self.0.lock().expect("no writer panicked").clone();
            let text = String::from_utf8(written).expect("JSON is UTF-8");
            text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
        }
    }

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no writer panicked").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::{capture::Lines, subscriber};

    #[test]
    fn the_level_applies_only_to_the_systems_own_lines() {
        let lines = Lines::default();
        let written = lines.clone();
        let subscriber = subscriber(move || written.clone(), "note-taker", Level::DEBUG);
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!(target: "note_taker::storage", "ours");
            tracing::debug!(target: "aws_runtime", "a signature");
            tracing::info!(target: "aws_runtime", "retrying");
        });
        let messages: Vec<_> = lines.values().iter().map(|line| line["message"].clone()).collect();
        assert_eq!(messages, ["ours", "retrying"]);
    }
}
