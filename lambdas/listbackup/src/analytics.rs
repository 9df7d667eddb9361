//! The analytics service: overview, storage, reports, and the aggregates of events.
