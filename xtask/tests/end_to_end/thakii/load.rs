//! Many callers at once: row 25.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;

use super::world::World;

/// Of 20 times, the 19th.
const P95: usize = 18;

pub(super) async fn row_25_many_callers_are_served(world: Arc<World>) {
    for _ in 0..3 {
        assert_eq!(world.anonymous.get("/health").await.0, 200);
    }
    let mut times = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        assert_eq!(world.anonymous.get("/health").await.0, 200);
        times.push(started.elapsed());
    }
    times.sort();
    assert!(times[P95] < Duration::from_secs(1), "{times:?}");
    assert!(times.iter().all(|time| *time < Duration::from_secs(5)), "{times:?}");

    let health = join_all((0..200).map(|_| world.anonymous.get("/health")));
    let uploads = join_all((0..20).map(|_| world.user.upload("many.mp4", b"video")));
    let (health, uploaded) = tokio::join!(health, uploads);
    assert!(health.iter().all(|(status, _)| *status < 500), "{health:?}");
    for id in uploaded.iter().collect::<BTreeSet<_>>() {
        assert_eq!(world.messages_of(id).await.len(), 1, "{id}");
        assert_eq!(world.user.get(&format!("/status/{id}")).await.1["status"], "in_queue", "{id}");
    }
}
