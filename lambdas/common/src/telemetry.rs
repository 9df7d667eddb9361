//! Log lines: JSON on stdout, which Lambda hands to CloudWatch. Presigned URLs and tokens must never get here.

use tracing::{Level, Subscriber};
use tracing_subscriber::fmt::MakeWriter;

/// Sends log lines to stdout from here on.
///
/// The level is fixed: the SDK's debug lines hold request signatures.
pub(crate) fn initialize() {
    // Only a second call fails, and then lines already go where they should.
    let _ = tracing::subscriber::set_global_default(subscriber(std::io::stdout));
}

/// One JSON object per line, with the runtime's request id in `span`.
pub(crate) fn subscriber<W>(writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_max_level(Level::INFO)
        .with_writer(writer)
        .finish()
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

    /// Keeps what is written.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Lines {
        /// Takes this thread's log lines while the guard lives.
        pub(crate) fn listen(&self) -> tracing::subscriber::DefaultGuard {
            let lines = self.clone();
            tracing::subscriber::set_default(super::subscriber(move || lines.clone()))
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
