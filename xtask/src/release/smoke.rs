//! What a system must serve while, and after, its traffic moves.

use std::time::Duration;

use serde_json::Value;

use crate::http::Request;

/// A request, and what must come of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Where.
    pub url: String,
    /// The status that must come.
    pub status: u16,
    /// What must be in the JSON that comes; fields that are not named may be anything.
    pub json: Option<Value>,
}

/// How often a check is made before its answer counts against a release: one lost connection is no reason to revert.
const TRIES: u32 = 5;
/// How long after a wrong answer a check is made again. A moved alias takes a moment to be seen everywhere.
pub(super) const AGAIN: Duration = Duration::from_secs(5);
/// The same for an emulator, which has one process.
pub(super) const AGAIN_LOCALLY: Duration = Duration::from_millis(200);

impl Check {
    /// Makes the request until the answer is right, five times at most; an `Err` says what was wrong with the last answer.
    ///
    /// # Errors
    ///
    /// When nothing answers, or something else than expected, each time.
    pub async fn settle(&self, again: Duration) -> Result<(), String> {
        for _ in 1..TRIES {
            match self.run().await {
                Ok(()) => return Ok(()),
                Err(_) => tokio::time::sleep(again).await,
            }
        }
        self.run().await.map_err(|why| format!("{why}, {TRIES} times"))
    }

    /// Makes the request; an `Err` says what was wrong with the answer.
    ///
    /// # Errors
    ///
    /// When nothing answers, or something else than expected.
    pub async fn run(&self) -> Result<(), String> {
        let url = &self.url;
        let answer = Request::get(url).send().await.map_err(|error| error.to_string())?;
        let status = answer.status;
        if status != self.status {
            return Err(format!("{url} answers {status} instead of {}", self.status));
        }
        let Some(wanted) = &self.json else { return Ok(()) };
        let found = answer.json().ok_or_else(|| format!("{url} answers no JSON"))?;
        // What came instead may hold anything, and is kept in the ledger: it is not told.
        if contains(&found, wanted) { Ok(()) } else { Err(format!("{url} answers JSON without {wanted}")) }
    }
}

/// Is everything that is wanted there?
pub(crate) fn contains(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| found.get(key).is_some_and(|found| contains(found, wanted)))
        }
        (found, wanted) => found == wanted,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wanted_must_be_there_and_more_may_be() {
        let found = json!({ "status": "ok", "checks": { "table": true, "bucket": true } });
        assert!(contains(&found, &json!({ "status": "ok" })));
        assert!(contains(&found, &json!({ "checks": { "table": true } })));
        assert!(!contains(&found, &json!({ "checks": { "table": false } })));
        assert!(!contains(&found, &json!({ "missing": 1 })));
    }
}
