//! The functions of the analytics stack, in the binary `listbackup-analytics`.

use crate::function;

function! {
    /// Summarizes an account: [`GetOverviewRoute`].
    GetOverview is "getOverview" in "analytics" {
        /// The name of [`AGGREGATES`](crate::tables::AGGREGATES).
        analytics_aggregates_table: V,
        /// The name of [`SOURCES`](crate::tables::SOURCES).
        sources_table: V,
        /// The name of [`JOBS`](crate::tables::JOBS).
        jobs_table: V,
        /// The name of [`ACTIVITY`](crate::tables::ACTIVITY).
        activity_table: V,
    }
}

function! {
    /// Reports an account's storage: [`GetStorageRoute`].
    GetStorage is "getStorage" in "analytics" {
        /// The name of [`AGGREGATES`](crate::tables::AGGREGATES).
        analytics_aggregates_table: V,
        /// The name of [`SOURCES`](crate::tables::SOURCES).
        sources_table: V,
    }
}

function! {
    /// Generates a report: [`GenerateReportRoute`].
    GenerateReport is "generateReport" in "analytics" {
        /// The name of [`AGGREGATES`](crate::tables::AGGREGATES).
        analytics_aggregates_table: V,
        /// The name of [`SOURCES`](crate::tables::SOURCES).
        sources_table: V,
        /// The name of [`RUNS`](crate::tables::RUNS).
        runs_table: V,
        /// The name of [`ACTIVITY`](crate::tables::ACTIVITY).
        activity_table: V,
        /// The name of [`REPORTS`](crate::tables::REPORTS).
        reports_table: V,
        /// The name of the event bus.
        event_bus_name: V,
        /// The bucket of backups and reports.
        data_bucket: V,
        /// The S3 endpoint of presigned URLs, path-style, if clients do not reach S3 at AWS.
        #[serde(skip_serializing_if = "Option::is_none")]
        public_s3_endpoint: Option<V>,
    }
}

function! {
    /// Adds the events of ended runs to the aggregates.
    AggregateEvents is "aggregateEvents" in "analytics" {
        /// The name of [`AGGREGATES`](crate::tables::AGGREGATES).
        analytics_aggregates_table: V,
        /// The name of [`ACCOUNTS`](crate::tables::ACCOUNTS).
        accounts_table: V,
        /// The name of [`RUNS`](crate::tables::RUNS).
        runs_table: V,
        /// The sender of mails about failed runs, if they are sent.
        #[serde(skip_serializing_if = "Option::is_none")]
        ses_from_email: Option<V>,
    }
}

contract::routes! {
    /// The route of [`GetOverview`].
    pub enum GetOverviewRoute {
        /// Summarizes the account.
        Overview => Get "/analytics/overview",
    }
}

contract::routes! {
    /// The route of [`GetStorage`].
    pub enum GetStorageRoute {
        /// Reports the account's storage.
        Storage => Get "/analytics/storage",
    }
}

contract::routes! {
    /// The route of [`GenerateReport`].
    pub enum GenerateReportRoute {
        /// Generates a report.
        Generate => Post "/reports/generate",
    }
}
