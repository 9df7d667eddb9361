//! The log of a history: commands, all that they print, all calls, and outcomes. Equal seeds have equal logs, byte for byte.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use engine::surroundings::{Printer, Stream};
use simulated_aws::Aws;

/// A log. Cheap to clone; clones share the text.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<String>>);

impl Log {
    /// Adds a line.
    pub fn line(&self, line: impl fmt::Display) {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(&line.to_string());
        text.push('\n');
    }

    /// Returns the text.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The output of one process, in a log.
#[derive(Debug)]
pub struct Output {
    /// The log.
    pub log: Log,
    /// The clock.
    pub aws: Aws,
    /// The process.
    pub process: String,
}

impl Printer for Output {
    fn print(&self, stream: Stream, text: &str) {
        let at = self.aws.now().elapsed().as_secs_f64();
        let mark = match stream {
            Stream::Result => '>',
            Stream::Message => '|',
        };
        for line in text.lines() {
            self.log.line(format_args!("{at:>12.6} {} {mark} {line}", self.process));
        }
    }
}
