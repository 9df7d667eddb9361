//! The function of the stack data-analysis, in the binary `listbackup-data-analysis`.

use crate::function;

function! {
    /// Derives insights from completed runs.
    DataInsights is "dataInsights" in "data-analysis" {
        /// The name of [`RUNS`](crate::tables::RUNS).
        runs_table: V,
        /// The name of [`AGGREGATES`](crate::tables::AGGREGATES).
        analytics_aggregates_table: V,
        /// The name of [`FILES`](crate::tables::FILES).
        files_table: V,
        /// The prefix of the stage's SSM parameters; the key of the language model is at `<prefix>/openai-api-key`.
        ssm_prefix: V,
        /// The endpoint of the language model, if insights are written by one.
        #[serde(skip_serializing_if = "Option::is_none")]
        llm_url: Option<V>,
    }
}
