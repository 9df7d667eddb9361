//! The state of a run: start, lease, progress and completion.
