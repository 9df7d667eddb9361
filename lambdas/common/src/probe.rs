//! Answers a release's probe before any handler sees it.

use contract::{
    Function,
    probe::{Probe, Ready},
};
use serde::Deserialize;
use serde_json::Value;

/// The answer to `event` when it is a probe and nothing else.
pub(crate) fn answer<F: Function>(event: &Value) -> Option<Ready> {
    Probe::deserialize(event).ok().map(|_| Ready { ready: true, function: F::NAME.to_string() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::notes::List;

    #[test]
    fn a_probe_is_answered_with_the_binarys_name() {
        let ready = answer::<List>(&json!({"probe": "ready"})).expect("a probe");
        assert_eq!(serde_json::to_value(ready).expect("plain data"), json!({"ready": true, "function": "notes-list"}));
    }

    #[test]
    fn everything_else_reaches_the_handler() {
        for event in [
            json!({}),
            json!("ready"),
            json!(null),
            json!({"probe": "other"}),
            json!({"probe": "ready", "httpMethod": "GET"}),
            json!({"Records": []}),
        ] {
            assert_eq!(answer::<List>(&event), None, "{event}");
        }
    }
}
