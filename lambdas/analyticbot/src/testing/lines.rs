//! Captures log lines, with the debug lines of all crates.

use std::{
    io::Write,
    sync::{Arc, Mutex, Once},
};

use tracing::{Level, subscriber::DefaultGuard};

/// Set once, so that every thread has a subscriber. Otherwise a thread without one that reaches a log line first disables that line for
/// all threads: its interest is cached (`tracing_core::subscriber::Interest`).
static EVERYWHERE: Once = Once::new();

/// The written lines.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// Captures the lines of this thread, and of servers that it starts, while the guard exists.
    pub(crate) fn listen(&self) -> DefaultGuard {
        enable_everywhere();
        let lines = self.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(Level::DEBUG).with_writer(move || lines.clone());
        tracing::subscriber::set_default(subscriber.finish())
    }

    /// The same, with a JSON object per line, as the functions write them.
    pub(crate) fn listen_to_json(&self) -> DefaultGuard {
        enable_everywhere();
        let lines = self.clone();
        let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(Level::DEBUG);
        tracing::subscriber::set_default(subscriber.with_writer(move || lines.clone()).finish())
    }

    /// Returns everything that was written.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("UTF-8")
    }
}

fn enable_everywhere() {
    EVERYWHERE.call_once(|| {
        let unheard = tracing_subscriber::fmt().with_max_level(Level::DEBUG).with_writer(std::io::sink);
        tracing::subscriber::set_global_default(unheard.finish()).expect("the only one");
    });
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
