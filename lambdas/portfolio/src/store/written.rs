//! The result of a conditional write.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    Yes,
    /// The item was no longer, or not yet, in the expected state.
    Stale,
}
