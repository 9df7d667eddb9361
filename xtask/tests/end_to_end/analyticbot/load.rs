//! Many calls at once against one bot: they keep to both limits, although each is served by an instance of its own.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::json;

use super::{
    telegram::Server,
    verifying::{leases, windows},
    world::World,
};

/// The calls.
const CALLS: usize = 200;
/// The calls per second, and those at once.
const PER_SECOND: u64 = 10;
const AT_ONCE: usize = 3;

pub(super) async fn two_hundred_calls_at_once_keep_to_both_limits(world: Arc<World>) {
    let person = world.user("flora", "user").await;
    person.create(&world.token(1040, "VALID")).await.ok(201);
    person.limit(json!({ "max_requests_per_second": PER_SECOND, "max_concurrent_requests": AT_ONCE })).await.ok(200);
    let telegram = Server::start().await;
    let base = world.point_at(&telegram.url).await;

    // The first calls meet at Telegram: the limit of calls at once can be reached, and the first lease is one of three.
    telegram.gather(AT_ONCE);
    let said = join_all((0..CALLS).map(|_| person.verify(json!({})))).await;
    let served = said.iter().filter(|said| said.status == 200).count();
    for refused in said.iter().filter(|said| said.status != 200) {
        assert!(["BOT_BUSY", "BOT_RATE_LIMITED"].contains(&refused.error(429)), "{refused:?}");
    }
    let (calls, most) = telegram.counted();
    assert_eq!(most, AT_ONCE, "{calls} calls were made");
    assert!(served >= AT_ONCE && calls == served, "{served} of {CALLS} were served with {calls} calls");
    let windows = windows(&world, person.id).await;
    assert!(windows.values().all(|calls| *calls <= PER_SECOND), "{windows:?}");
    // A call that waited for a window in vain is counted by none.
    assert_eq!(windows.values().sum::<u64>(), u64::try_from(calls).expect("a few"), "{windows:?}");
    let status = person.status().await.ok(200);
    assert_eq!(status["total_requests"], json!(calls), "{status:#}");

    // No lease was lost: all three can be taken again, at once.
    assert_eq!(leases(&world, person.id).await, 0, "a lease is left");
    telegram.gather(AT_ONCE);
    for said in join_all((0..AT_ONCE).map(|_| person.verify(json!({})))).await {
        said.ok(200);
    }
    world.point_at(&base).await;
    person.remove().await.ok(200);
}
