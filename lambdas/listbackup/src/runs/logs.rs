//! The lines of a run's log.

use tables::{AwsError, strings, to_attribute};

use super::Runs;

/// The most lines of a run.
const MAX_LINES: usize = 50;
/// The most characters of a line.
const MAX_CHARACTERS: usize = 500;

impl Runs {
    /// Appends a line to a run's log, up to its limit. A failure is only logged: no state depends on the lines.
    pub async fn log(&self, run_id: &str, line: &str) {
        if let Err(error) = self.append(run_id, line).await {
            tracing::warn!(run_id, %error, "failed to append to a run's log");
        }
    }

    async fn append(&self, run_id: &str, line: &str) -> Result<(), AwsError> {
        let line: String = line.chars().take(MAX_CHARACTERS).collect();
        let request = self.database.client().update_item().table_name(&self.tables.runs);
        let answer = request
            .set_key(Some(strings([("runId", run_id)])))
            .update_expression("SET #logs = list_append(#logs, :lines)")
            .condition_expression("attribute_exists(#logs) AND size(#logs) < :most")
            .expression_attribute_names("#logs", "logs")
            .expression_attribute_values(":lines", to_attribute([line])?)
            .expression_attribute_values(":most", to_attribute(MAX_LINES)?)
            .send()
            .await;
        match answer {
            Err(error)
                if !error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Err(AwsError::new("append to a run's log", &error))
            }
            _ => Ok(()),
        }
    }
}
