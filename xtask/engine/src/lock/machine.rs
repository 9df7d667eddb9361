//! The state of a lock whose owner may be a process of this machine.

use std::time::Duration;

use super::{LockRecord, LockState};
use crate::surroundings;

/// Returns the present state of a lock, by the time since its last renewal.
pub(super) fn current_state(record: &LockRecord, silence: Option<Duration>) -> LockState {
    record.state(silence, &surroundings::host(), surroundings::is_alive)
}
