//! Log lines: JSON on stdout, which Lambda hands to CloudWatch. Presigned URLs and tokens must never get here.

use tracing::{Level, Subscriber};
use tracing_subscriber::{
    filter::Targets,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
};

/// The variable that says how much a function logs of its own, where it has one.
const LEVEL: &str = "LOG_LEVEL";

/// Sends log lines to stdout from here on: those of `system`'s crate as far as `LOG_LEVEL` asks for, which is `INFO`
/// unless it is set.
///
/// The level of everything else is fixed: the SDK's debug lines hold request signatures.
pub(crate) fn initialize(system: &str) {
    let level = std::env::var(LEVEL).ok().and_then(|level| level.parse().ok()).unwrap_or(Level::INFO);
    // Only a second call fails, and then lines already go where they should.
    let _ = tracing::subscriber::set_global_default(subscriber(std::io::stdout, system, level));
}

/// One JSON object per line, with the runtime's request id in `span`.
pub(crate) fn subscriber<W>(writer: W, system: &str, level: Level) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // A crate is named like its system, but for the hyphens.
    let own = Targets::new().with_default(Level::INFO).with_target(system.replace('-', "_"), level);
    let lines = fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(writer);
    tracing_subscriber::registry().with(lines).with(own)
}

/// An error and everything that caused it, on one line.
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

/// Where tests look at log lines.
#[cfg(test)]
pub(crate) mod capture {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use tracing::Level;

    /// Keeps what is written.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Lines {
        /// Takes this thread's log lines while the guard lives.
        pub(crate) fn listen(&self) -> tracing::subscriber::DefaultGuard {
            let lines = self.clone();
            tracing::subscriber::set_default(super::subscriber(move || lines.clone(), "common", Level::INFO))
        }

        /// What was written, a JSON value per line.
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
    fn only_the_systems_own_lines_get_more_detailed() {
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
