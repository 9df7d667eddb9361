//! Thirty canaries against scripted metrics: bad ones fail within a step, good and noisy ones pass.

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rand_free::Dice;

use super::*;
use crate::aws::cloudwatch::Sample;

/// How a version behaves: the share of its requests that fail, and its latency.
#[derive(Debug, Clone, Copy)]
struct Behavior {
    errors: f64,
    throttles: f64,
    p99: f64,
}

const FINE: Behavior = Behavior { errors: 0.002, throttles: 0.0, p99: 200.0 };

/// Functions whose metrics are pseudorandom with a fixed seed.
struct Script {
    /// Requests per minute, of both versions together.
    traffic: f64,
    old: Behavior,
    new: Behavior,
    /// The variation of durations, as a share.
    noise: f64,
    /// Alarms, and the share of the traffic at which each begins to fire; 0 is before the canary.
    alarms: Vec<(&'static str, u8)>,
    /// The share of the traffic from which probes fail.
    probes_fail_from: Option<u8>,
    percent: u8,
    minutes: f64,
    dice: Dice,
    shifts: Vec<u8>,
    probed: u32,
}

mod rand_free {
    //! Pseudorandom numbers from a seed.

    use proptest::prelude::*;

    use super::{Config, RngAlgorithm, TestRng, TestRunner};

    pub(super) struct Dice(TestRunner);

    impl Dice {
        pub(super) fn new(seed: u8) -> Self {
            let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
            Self(TestRunner::new_with_rng(Config::default(), random))
        }

        /// Between 0 and 1.
        pub(super) fn fraction(&mut self) -> f64 {
            f64::from(self.0.rng().next_u32()) / f64::from(u32::MAX)
        }

        /// How many of `of` events occur that occur with this probability.
        pub(super) fn hits(&mut self, of: f64, share: f64) -> f64 {
            let mut hits = 0.0;
            let mut tries = of;
            while tries >= 1.0 {
                hits += f64::from(u8::from(self.fraction() < share));
                tries -= 1.0;
            }
            hits
        }
    }
}

impl Script {
    fn new(seed: u8, new: Behavior) -> Self {
        Self {
            traffic: 2000.0,
            old: FINE,
            new,
            noise: 0.05,
            alarms: Vec::new(),
            probes_fail_from: None,
            percent: 0,
            minutes: 0.0,
            dice: Dice::new(seed),
            shifts: Vec::new(),
            probed: 0,
        }
    }

    fn sample(&mut self, behavior: Behavior, requests: f64) -> Sample {
        let requests = requests.floor();
        let swing = 1.0 + self.noise * (self.dice.fraction() * 2.0 - 1.0);
        Sample {
            requests,
            errors: self.dice.hits(requests, behavior.errors),
            throttles: self.dice.hits(requests, behavior.throttles),
            p99: (requests > 0.0).then_some(behavior.p99 * swing),
        }
    }
}

impl CanaryTarget for Script {
    type Error = std::convert::Infallible;

    async fn shift(&mut self, percent: u8) -> Result<(), Self::Error> {
        self.percent = percent;
        self.minutes = 0.0;
        self.shifts.push(percent);
        Ok(())
    }

    async fn metrics(&mut self) -> Result<Vec<VersionPair>, Self::Error> {
        let share = f64::from(self.percent) / 100.0;
        let all = self.traffic * self.minutes;
        let (old, new) = (self.old, self.new);
        let (old, new) = (self.sample(old, all * (1.0 - share)), self.sample(new, all * share));
        Ok(vec![VersionPair { function: "api".to_owned(), old, new }])
    }

    async fn firing_alarms(&mut self) -> Result<BTreeSet<String>, Self::Error> {
        let percent = self.percent;
        let firing = self.alarms.iter().filter(|(_, from)| percent >= *from);
        Ok(firing.map(|(name, _)| (*name).to_owned()).collect())
    }

    async fn probe(&mut self) -> Result<Option<String>, Self::Error> {
        self.probed += 1;
        let fails = self.probes_fail_from.is_some_and(|from| self.percent >= from);
        Ok(fails.then(|| "a probe failed".to_owned()))
    }

    async fn pause(&mut self, time: Duration) {
        self.minutes += time.as_secs_f64() / 60.0;
    }
}

async fn run_with(mut script: Script) -> (CanaryOutcome, Script) {
    let plan = CanaryPlan { steps: vec![5, 25, 50], bake: Duration::from_secs(300), minimum_requests: 50 };
    let outcome = run(&plan, &mut script).await.expect("a script does not fail");
    (outcome, script)
}

/// The canary must fail at this share of the traffic and for this reason.
async fn fails(what: &str, percent: u8, reason: &str, script: Script) {
    let (outcome, script) = run_with(script).await;
    match outcome {
        CanaryOutcome::Failed { percent: at, why } => {
            assert_eq!(at, percent, "{what}: {why}");
            assert!(why.contains(reason), "{what}: {why}");
            assert_eq!(script.shifts.last(), Some(&percent), "{what}");
        }
        CanaryOutcome::Passed => panic!("{what} passed"),
    }
}

async fn passes(what: &str, script: Script) {
    let (outcome, script) = run_with(script).await;
    assert_eq!(outcome, CanaryOutcome::Passed, "{what}");
    assert_eq!(script.shifts, [5, 25, 50], "{what}");
    assert!(script.probed >= 3, "{what}: the smoke tests run at every step");
}

#[tokio::test]
async fn bad_versions_fail_within_a_step() {
    let errors = |share| Behavior { errors: share, ..FINE };
    let slow = |factor: f64| Behavior { p99: FINE.p99 * factor, ..FINE };
    for seed in 1..=4 {
        fails("5 % errors", 5, "% errors", Script::new(seed, errors(0.05))).await;
    }
    fails("20 % errors", 5, "% errors", Script::new(5, errors(0.2))).await;
    fails("everything fails", 5, "% errors", Script { traffic: 20.0, ..Script::new(6, errors(1.0)) }).await;
    for seed in 7..=9 {
        fails("three times slower", 5, "ms", Script::new(seed, slow(3.0))).await;
    }
    fails("three times slower, and noisy", 5, "ms", Script { noise: 0.2, ..Script::new(10, slow(3.0)) }).await;
    let throttled = Behavior { throttles: 0.1, ..FINE };
    fails("a tenth is throttled", 5, "% throttles", Script::new(11, throttled)).await;
    let alarm = |from| Script { alarms: vec![("api-5xx", from)], ..Script::new(12, FINE) };
    fails("an alarm at once", 5, "alarm api-5xx", alarm(5)).await;
    fails("an alarm under load", 25, "alarm api-5xx", alarm(25)).await;
    let probe = |from| Script { probes_fail_from: Some(from), ..Script::new(13, FINE) };
    fails("a smoke test fails", 5, "a probe failed", probe(5)).await;
    fails("a smoke test fails under load", 50, "a probe failed", probe(50)).await;
}

#[tokio::test]
async fn good_and_noisy_versions_pass() {
    for seed in 21..=24 {
        passes("as good as the old one", Script::new(seed, FINE)).await;
    }
    for seed in 25..=28 {
        let noisy = Behavior { errors: 0.01, throttles: 0.0, p99: 230.0 };
        passes("noisy within limits", Script { noise: 0.2, ..Script::new(seed, noisy) }).await;
    }
    let better = Behavior { errors: 0.0, throttles: 0.0, p99: 80.0 };
    passes("faster", Script::new(29, better)).await;
    let poor = Behavior { errors: 0.08, throttles: 0.0, p99: 900.0 };
    passes("fixes a fault", Script { old: poor, ..Script::new(30, FINE) }).await;
    passes("as poor as the old one", Script { old: poor, ..Script::new(31, poor) }).await;
    let fixing = Script { alarms: vec![("api-5xx", 0)], ..Script::new(32, FINE) };
    passes("an alarm was firing before", fixing).await;
    passes("no requests", Script { traffic: 0.0, ..Script::new(33, FINE) }).await;
    passes("few requests", Script { traffic: 2.0, ..Script::new(34, FINE) }).await;
    let quick = Behavior { p99: 3.0, ..FINE };
    let slower = Behavior { p99: 9.0, ..FINE };
    passes("three times a few milliseconds", Script { old: quick, ..Script::new(35, slower) }).await;
}
