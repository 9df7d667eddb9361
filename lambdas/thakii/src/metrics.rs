//! The metrics of the functions.

use common::metrics;
pub(crate) use common::metrics::Metric;
use thakii_contract::metrics::{NAMESPACE, STAGE, STATUS};

/// Writes metrics of a stage, or of the tasks with a status.
pub(crate) fn emit(stage: &str, status: Option<&str>, measured: &[Metric]) {
    metrics::emit(NAMESPACE, &dimensions(stage, status), measured);
}

fn dimensions<'a>(stage: &'a str, status: Option<&'a str>) -> Vec<(&'static str, &'a str)> {
    std::iter::once((STAGE, stage)).chain(status.map(|status| (STATUS, status))).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;
    use thakii_contract::metrics::TASKS;

    use super::*;

    #[test]
    fn lines_have_the_dimensions_of_the_contract() {
        let line = |status| {
            metrics::line(NAMESPACE, &dimensions("prod", status), &[Metric::count(TASKS, 7)], Timestamp::UNIX_EPOCH)
        };
        let directive = |status| line(status)["_aws"]["CloudWatchMetrics"][0].clone();
        assert_eq!(directive(None)["Dimensions"], json!([["Stage"]]));
        assert_eq!(directive(Some("done"))["Dimensions"], json!([["Stage", "Status"]]));
        assert_eq!(directive(None)["Namespace"], "Thakii");
        let tasks = line(Some("done"));
        assert_eq!((&tasks["Status"], &tasks["Stage"], &tasks["Tasks"]), (&json!("done"), &json!("prod"), &json!(7)));
    }
}
