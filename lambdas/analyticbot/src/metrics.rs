//! The metrics of the functions: in the namespace of the stage, without dimensions.

use analyticbot_contract::metrics::NAMESPACE;
pub use common::metrics::Metric;

/// Writes metrics of a stage.
pub fn emit(stage: &str, measured: &[Metric]) {
    common::metrics::emit(&namespace(stage), &[], measured);
}

fn namespace(stage: &str) -> String {
    format!("{NAMESPACE}/{stage}")
}

#[cfg(test)]
mod tests {
    use analyticbot_contract::metrics::LOGINS_FAILED;
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_have_the_namespace_of_the_stage_and_no_dimensions() {
        let line =
            common::metrics::line(&namespace("prod"), &[], &[Metric::count(LOGINS_FAILED, 1)], Timestamp::UNIX_EPOCH);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!((&directive["Namespace"], &directive["Dimensions"]), (&json!("ab/prod"), &json!([[]])));
        assert_eq!(line["logins_failed"], 1);
    }
}
