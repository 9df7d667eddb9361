//! A memo of decrypted tokens, so that not every request calls KMS.
//!
//! An entry counts only for the row as it was stored when the entry was made: callers read the row first, so a suspension, a new
//! token, or a ciphertext that was copied from another row ends it.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::envelope::Sealed;

/// The maximum number of entries.
pub const MOST_ENTRIES: usize = 100;
/// The longest life of an entry.
pub const LONGEST: SignedDuration = SignedDuration::from_mins(30);

/// A decrypted token, in memory that is overwritten when it is dropped.
pub type Token = Arc<Zeroizing<String>>;

/// The stored row that an entry belongs to.
#[derive(Debug, Clone, Copy)]
pub struct RowState<'a> {
    /// The user.
    pub user_id: u64,
    /// The time of the row's last change.
    pub updated_at: &'a str,
    /// The encrypted content of the row.
    pub sealed: &'a Sealed,
}

struct Entry {
    user_id: u64,
    updated_at: String,
    sealed: Sealed,
    token: Token,
    made: Timestamp,
}

impl Entry {
    fn is_fresh(&self, now: Timestamp) -> bool {
        let age = now.duration_since(self.made);
        age >= SignedDuration::ZERO && age < LONGEST
    }

    fn is_of(&self, row: RowState<'_>) -> bool {
        self.user_id == row.user_id && self.updated_at == row.updated_at && self.sealed == *row.sealed
    }
}

/// Decrypted tokens of one instance, the oldest first.
#[derive(Default)]
pub struct Memo(Mutex<Vec<Entry>>);

impl Memo {
    /// Returns the token of a row, if it is remembered for the row in this state.
    #[must_use]
    pub fn get(&self, row: RowState<'_>, now: Timestamp) -> Option<Token> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // An old entry of any user is dropped, because its token must not stay in memory. An entry of another state of the row is of
        // no use any more.
        entries.retain(|entry| entry.is_fresh(now) && (entry.user_id != row.user_id || entry.is_of(row)));
        entries.iter().find(|entry| entry.user_id == row.user_id).map(|entry| entry.token.clone())
    }

    /// Remembers the token of a row in its present state.
    pub fn put(&self, row: RowState<'_>, token: Token, now: Timestamp) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| entry.user_id != row.user_id);
        if entries.len() >= MOST_ENTRIES {
            entries.remove(0);
        }
        let (updated_at, sealed) = (row.updated_at.to_owned(), row.sealed.clone());
        entries.push(Entry { user_id: row.user_id, updated_at, sealed, token, made: now });
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.lock().expect("no panic").len()
    }
}

impl fmt::Debug for Memo {
    /// Without the tokens.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Memo")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn sealed(byte: u8) -> Sealed {
        Sealed { dek: vec![byte], bot_token: vec![byte], ..Sealed::default() }
    }

    fn token(text: &str) -> Token {
        Arc::new(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn an_entry_counts_for_one_state_of_its_row() {
        let (memo, stored, copied) = (Memo::default(), sealed(1), sealed(2));
        let row = RowState { user_id: 7, updated_at: "a", sealed: &stored };
        memo.put(row, token("t"), at(0));
        assert_eq!(memo.get(row, at(1)).as_deref().map(|token| token.as_str()), Some("t"));
        assert!(memo.get(RowState { user_id: 8, ..row }, at(1)).is_none());
        assert!(memo.get(RowState { sealed: &copied, ..row }, at(1)).is_none(), "a ciphertext of another row");
        memo.put(row, token("t"), at(0));
        assert!(memo.get(RowState { updated_at: "b", ..row }, at(1)).is_none(), "a suspension changes the time");
        assert!(memo.get(row, at(1)).is_none(), "a stale entry is forgotten");
    }

    #[test]
    fn an_entry_lives_for_half_an_hour() {
        let (memo, stored) = (Memo::default(), sealed(1));
        let row = RowState { user_id: 7, updated_at: "a", sealed: &stored };
        memo.put(row, token("t"), at(0));
        assert!(memo.get(row, at(30 * 60 - 1)).is_some());
        assert!(memo.get(row, at(30 * 60)).is_none());
        memo.put(row, token("t"), at(100));
        assert!(memo.get(row, at(99)).is_none(), "a clock that was set back");
    }

    #[test]
    fn an_old_token_leaves_memory_with_the_next_request_of_any_user() {
        let (memo, stored) = (Memo::default(), sealed(1));
        let row = |user_id| RowState { user_id, updated_at: "a", sealed: &stored };
        let old = token("t");
        memo.put(row(7), old.clone(), at(0));
        assert!(memo.get(row(8), at(30 * 60 - 1)).is_none());
        assert_eq!((memo.len(), Arc::strong_count(&old)), (1, 2));
        assert!(memo.get(row(8), at(30 * 60)).is_none());
        assert_eq!((memo.len(), Arc::strong_count(&old)), (0, 1), "the memo holds no token");
    }

    #[test]
    fn the_oldest_of_too_many_entries_is_forgotten() {
        let (memo, stored) = (Memo::default(), sealed(1));
        let row = |user_id| RowState { user_id, updated_at: "a", sealed: &stored };
        for user_id in 0..=100 {
            memo.put(row(user_id), token("t"), at(0));
        }
        assert_eq!(memo.len(), MOST_ENTRIES);
        assert!(memo.get(row(0), at(0)).is_none() && memo.get(row(1), at(0)).is_some());
        assert_eq!(format!("{memo:?}"), "Memo");
    }
}
