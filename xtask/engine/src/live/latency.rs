//! The latency of a deployed system, against its budget.

use std::time::Duration;

use model::rendered::Latency;

use super::visitor::{CheckFailure, Visitor};

/// How many requests come before the measured ones: the first may start a function.
const WARM_UPS: usize = 3;
/// How many requests are measured.
const MEASURED: usize = 20;
/// How many connections may be lost during a measurement, as the network's fault. More fail it.
const MAX_LOST: usize = 2;

/// The latency of a system that is fast enough.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) summary: String,
    pub(super) warning: Option<String>,
}

/// Measures the latency of a system.
///
/// # Errors
///
/// When the system is too slow or does not respond as expected, in words.
pub(super) async fn measure(visitor: &Visitor<'_>, budget: &Latency) -> Result<Measured, String> {
    let mut times = Vec::with_capacity(WARM_UPS + MEASURED);
    let mut lost = Vec::new();
    while times.len() < WARM_UPS + MEASURED {
        match visitor.request(&budget.check).await {
            Ok(response) => times.push(response.elapsed),
            // A connection that was lost after the budget had passed counts as too slow.
            Err(CheckFailure::NoResponse(elapsed, reason))
                if lost.len() < MAX_LOST && elapsed < Duration::from_millis(u64::from(budget.longest)) =>
            {
                lost.push(reason);
            }
            Err(failure) => return Err(failure.into()),
        }
    }
    within_budget(times.split_off(WARM_UPS), &lost, budget)
}

/// Compares measured times with the budget.
fn within_budget(mut times: Vec<Duration>, lost: &[String], budget: &Latency) -> Result<Measured, String> {
    times.sort_unstable();
    let percentile = |percent: usize| {
        times.get((times.len() * percent).div_ceil(100).saturating_sub(1)).map_or(0, Duration::as_millis)
    };
    let (p95, longest) = (percentile(95), percentile(100));
    let summary = format!("p95 {p95} ms of at most {}, longest {longest} ms of at most {}", budget.p95, budget.longest);
    if p95 > u128::from(budget.p95) || longest > u128::from(budget.longest) {
        return Err(summary);
    }
    let mut warnings = Vec::new();
    if p95 > u128::from(budget.expected) {
        warnings.push(format!("p95 should be at most {} ms", budget.expected));
    }
    if let Some(last) = lost.last() {
        warnings.push(format!("{} of {} connections lost: {last}", lost.len(), WARM_UPS + MEASURED + lost.len()));
    }
    Ok(Measured { summary, warning: (!warnings.is_empty()).then(|| warnings.join("; ")) })
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        io::{Read, Write},
    };

    use contract::Method;
    use model::rendered::LiveCheck;

    use super::*;

    fn budget() -> Latency {
        let check = LiveCheck::responds("Api", Method::Get, "/health", &[200]);
        Latency { check, expected: 60, p95: 100, longest: 1_000 }
    }

    fn compared(times: &[u64]) -> Result<Measured, String> {
        within_budget(times.iter().copied().map(Duration::from_millis).collect(), &[], &budget())
    }

    #[test]
    fn one_of_twenty_may_be_slow_and_none_too_slow() {
        let mut times = vec![50; 19];
        times.push(900);
        let measured = compared(&times).unwrap_or_else(|slow| panic!("{slow}"));
        assert_eq!(measured.summary, "p95 50 ms of at most 100, longest 900 ms of at most 1000");
        assert_eq!(measured.warning, None);
        times[0] = 900;
        assert!(compared(&times).is_err_and(|slow| slow.starts_with("p95 900 ms")));
        let mut times = vec![50; 19];
        times.push(1_001);
        assert!(compared(&times).is_err());
        let slower = compared(&[70; 20]).unwrap_or_else(|slow| panic!("{slow}"));
        assert_eq!(slower.warning.as_deref(), Some("p95 should be at most 60 ms"));
    }

    /// Starts a server that closes some connections, by their number, without a response, and answers the others.
    fn server(loses: impl Fn(usize) -> bool + Send + 'static) -> BTreeMap<String, String> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        std::thread::spawn(move || {
            for (number, connection) in listener.incoming().enumerate() {
                let mut connection = connection.expect("a connection");
                if loses(number) {
                    continue;
                }
                let _request = connection.read(&mut [0; 4096]).expect("a request");
                let response = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                connection.write_all(response).expect("written");
            }
        });
        BTreeMap::from([("Api".to_owned(), format!("http://{address}"))])
    }

    #[tokio::test]
    async fn a_lost_connection_is_a_warning_and_many_are_a_failure() {
        let budget = Latency { expected: 900, p95: 900, ..budget() };
        let urls = server(|number| number == 5);
        let measured = measure(&Visitor::new(&urls), &budget).await;
        let warning = measured.map(|measured| measured.warning).unwrap_or_else(|slow| panic!("{slow}"));
        assert!(warning.as_deref().is_some_and(|text| text.starts_with("1 of 24 connections lost")), "{warning:?}");
        let urls = server(|number| number % 2 == 1);
        let failed = measure(&Visitor::new(&urls), &budget).await;
        assert!(failed.is_err_and(|reason| reason.contains("no response from")));
    }
}
