//! A report that is still being filled in.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The report of a command that is running. Its owner keeps it when the command fails or is dropped.
#[derive(Debug, Default)]
pub(crate) struct Draft<R>(Mutex<R>);

impl<R> Draft<R> {
    /// Changes the report.
    pub(crate) fn update(&self, change: impl FnOnce(&mut R)) {
        change(&mut self.locked());
    }

    /// Reads the report as it is now.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&R) -> T) -> T {
        read(&self.locked())
    }

    /// Ends the draft.
    pub(crate) fn into_report(self) -> R {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn locked(&self) -> MutexGuard<'_, R> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
