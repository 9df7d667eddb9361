//! The analytics service: aggregates of ended runs, and what is computed from them.
//!
//! `aggregation.rs` folds events into the buckets of an account, each event once. All other functions only read. Read `buckets.rs` first.

mod aggregation;
mod buckets;
mod overview;
mod range;
mod report;
mod storage;
#[cfg(test)]
mod tests;

use common::{Functions, Started, events, http};
use listbackup_contract::analytics as contract;

use self::aggregation::Aggregation;

/// The functions of the binary `listbackup-analytics`.
pub fn functions() -> Functions {
    common::functions()
        .function(async |Started { environment, aws }: Started<contract::GetOverview>| {
            http::serve::<contract::GetOverview>(overview::router(environment, &aws)).await
        })
        .function(async |Started { environment, aws }: Started<contract::GetStorage>| {
            http::serve::<contract::GetStorage>(storage::router(environment, &aws)).await
        })
        .function(async |Started { environment, aws }: Started<contract::GenerateReport>| {
            http::serve::<contract::GenerateReport>(report::router(environment, &aws)).await
        })
        .function(async |Started { environment, aws }: Started<contract::AggregateEvents>| {
            let aggregation = Aggregation::new(environment, &aws);
            events::serve::<contract::AggregateEvents, _, _>(async |event| Ok(aggregation.add(event).await?)).await
        })
}
