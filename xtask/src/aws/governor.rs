//! Keeps calls below the rates that AWS publishes, so that many stacks at once cause no throttling.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// A group of calls that share a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    /// API Gateway's control plane: 10 a second per account (API Gateway quotas page, fixed).
    Gateway,
    /// CloudFormation's reads; throttled above about 5 a second (observed; AWS publishes no figure).
    CloudFormation,
    /// Lambda's control plane: 15 a second for all calls but reads and invocations (Lambda quotas page).
    Lambda,
}

/// One slot per limit; a call takes the next free moment.
#[derive(Debug)]
pub(crate) struct Governor {
    limited: bool,
    api_gateway: Mutex<Instant>,
    cloudformation: Mutex<Instant>,
    lambda: Mutex<Instant>,
}

impl Governor {
    /// The emulator has no limits, so for it nothing waits.
    pub(crate) fn new(limited: bool) -> Self {
        let now = || Mutex::new(Instant::now());
        Self { limited, api_gateway: now(), cloudformation: now(), lambda: now() }
    }

    /// Waits until another call of this group may be made.
    pub(crate) async fn turn(&self, api: Api) {
        if !self.limited {
            return;
        }
        let (slot, pause) = match api {
            Api::Gateway => (&self.api_gateway, Duration::from_millis(125)),
            Api::CloudFormation => (&self.cloudformation, Duration::from_millis(250)),
            Api::Lambda => (&self.lambda, Duration::from_millis(80)),
        };
        let mut next = slot.lock().await;
        let now = Instant::now();
        if *next > now {
            tokio::time::sleep(*next - now).await;
        }
        *next = Instant::now() + pause;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_of_one_group_keep_their_distance_and_other_groups_do_not_wait() {
        let governor = Governor::new(true);
        let started = Instant::now();
        governor.turn(Api::CloudFormation).await;
        governor.turn(Api::CloudFormation).await;
        assert!(started.elapsed() >= Duration::from_millis(250), "the second call came at once");
        let next = *governor.lambda.lock().await;
        assert!(next <= Instant::now(), "another group would have to wait");
    }
}
