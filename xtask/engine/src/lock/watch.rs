//! Watches a lock whose age the store does not report, until it is renewed or has expired by this machine's monotonic clock.

use std::time::Duration;

use tokio::time::Instant;

use super::EXPIRY;
use crate::{
    store::{Document, Tag},
    ui::Ui,
};

/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(5);

/// What was seen of a lock's document.
#[derive(Debug, Default)]
pub(super) struct Watch {
    first: Option<(Tag, Instant)>,
    has_seen_renewal: bool,
    is_announced: bool,
}

impl Watch {
    /// Looks at the document; returns for how long it has not changed, `None` at the first look and after a renewal.
    pub(super) fn silence(&mut self, document: &Document) -> Option<Duration> {
        match &self.first {
            Some((tag, since)) if *tag == document.tag => Some(since.elapsed()),
            earlier => {
                self.has_seen_renewal = earlier.is_some();
                self.first = Some((document.tag.clone(), Instant::now()));
                None
            }
        }
    }

    /// Returns whether the document changed since the first look: its owner is at work.
    pub(super) fn has_seen_renewal(&self) -> bool {
        self.has_seen_renewal
    }

    /// Waits until the next look.
    pub(super) async fn wait(&mut self, system: &str, ui: &Ui) {
        if !std::mem::replace(&mut self.is_announced, true) {
            ui.say(format_args!(
                "Waiting at most {} s to see whether the lock of {system} is renewed",
                EXPIRY.as_secs()
            ));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(tag: &str) -> Document {
        Document { text: String::new(), tag: Tag(tag.to_owned()), age: None }
    }

    #[test]
    fn a_lock_is_silent_as_long_as_its_document_stays_the_same() {
        let mut watch = Watch::default();
        assert_eq!(watch.silence(&document("1")), None);
        let long_ago = Instant::now().checked_sub(EXPIRY).expect("the machine has run for some time");
        watch.first = Some((Tag("1".to_owned()), long_ago));
        assert!(watch.silence(&document("1")).is_some_and(|silence| silence >= EXPIRY));
        assert!(!watch.has_seen_renewal());
        assert_eq!(watch.silence(&document("2")), None);
        assert!(watch.has_seen_renewal());
    }
}
