//! Taking, renewing and giving back.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::future::BoxFuture;
use tokio::{
    sync::{Mutex, watch},
    task::JoinHandle,
};

use super::{
    ANSWER, EXPIRY_SECONDS, LockError, RENEWAL, Record, Verdict, key,
    machine::{host, standing},
};
use crate::{
    aws::AwsError,
    store::{Store, Tag},
    ui::Ui,
};

/// A lock that is ours, renewed until it is given back.
#[derive(Debug)]
pub struct Held<S: Store + 'static> {
    system: String,
    store: Arc<S>,
    state: Arc<Mutex<(Record, Tag)>>,
    renewal: JoinHandle<()>,
    /// What the document says of us, whoever has renewed it.
    token: String,
    /// Who has it now, once that is somebody else.
    lost: watch::Sender<Option<String>>,
}

/// Tells whether a lock is still ours.
type Look = Arc<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

tokio::task_local! {
    /// The locks of the work at hand, by system.
    static OURS: BTreeMap<String, Look>;
}

/// Takes the lock of a system.
///
/// # Errors
///
/// When somebody else has it, or a call fails.
pub async fn acquire<S: Store + 'static>(
    store: &Arc<S>,
    stage: &str,
    system: &str,
    (who, command): (&str, &str),
    ui: &Ui,
) -> Result<Held<S>, LockError> {
    let aws = |source| LockError::Aws { system: system.to_owned(), source };
    let key = key(system);
    let host = host();
    loop {
        let record = mine(who, command, &host);
        let text = text(&record);
        let tag = match store.read(&key).await.map_err(aws)? {
            None => store.create(&key, &text).await.map_err(aws)?,
            Some(document) => {
                // What is no lock is in nobody's hands.
                let found: Option<Record> = serde_json::from_str(&document.text).ok();
                if let Some(found) = &found {
                    match standing(found) {
                        Verdict::Free => {}
                        Verdict::Stale(why) => {
                            ui.warn(format_args!(
                                "taking over the lock of {system} from {}: {why}",
                                found.words(now())
                            ));
                        }
                        Verdict::Taken => {
                            let (stage, system) = (stage.to_owned(), system.to_owned());
                            return Err(LockError::Taken { stage, system, owner: found.words(now()) });
                        }
                    }
                }
                store.replace(&key, &text, &document.tag).await.map_err(aws)?
            }
        };
        // Somebody was faster: look again at whose it is.
        let Some(tag) = tag else { continue };
        return Ok(hold(store, system, (record, tag), RENEWAL));
    }
}

fn hold<S: Store + 'static>(store: &Arc<S>, system: &str, state: (Record, Tag), pause: Duration) -> Held<S> {
    let token = state.0.token.clone();
    let state = Arc::new(Mutex::new(state));
    let lost = watch::Sender::new(None);
    let renewal = tokio::spawn(renew(Arc::clone(store), key(system), Arc::clone(&state), (pause, lost.clone())));
    Held { system: system.to_owned(), store: Arc::clone(store), state, renewal, token, lost }
}

/// Renews a lock for as long as it is ours.
async fn renew<S: Store>(
    store: Arc<S>,
    key: String,
    state: Arc<Mutex<(Record, Tag)>>,
    (pause, tell): (Duration, watch::Sender<Option<String>>),
) {
    let mut renewed = now();
    loop {
        tokio::time::sleep(pause).await;
        let mut state = state.lock().await;
        let (record, tag) = &mut *state;
        record.renewed = now();
        let renewal = tokio::time::timeout(ANSWER, store.replace(&key, &text(record), tag)).await;
        let late = || AwsError::late("s3:PutObject", ANSWER);
        match renewal.unwrap_or_else(|_| Err(late())) {
            Ok(Some(next)) => {
                *tag = next;
                renewed = record.renewed;
            }
            // An earlier renewal was written though its answer was lost: it is ours still.
            Ok(None) if adopt(&*store, &key, record, tag).await => {}
            Ok(None) => {
                let owner = owner(&*store, &key).await;
                tell.send_replace(Some(owner));
                return;
            }
            // The next renewal may succeed, if its answer comes before the lock expires: then others may take it.
            Err(error) if now().saturating_sub(renewed) + pause.as_secs() + ANSWER.as_secs() < EXPIRY_SECONDS => {
                tracing::debug!(%error, "a lock could not be renewed");
                continue;
            }
            Err(error) => {
                tell.send_replace(Some(format!("it expires, because it could not be renewed ({error}), so anybody")));
                return;
            }
        }
    }
}

/// Takes the tag of a lock that is there and ours; is it?
async fn adopt<S: Store>(store: &S, key: &str, ours: &Record, tag: &mut Tag) -> bool {
    let Ok(Some(found)) = store.read(key).await else { return false };
    let record: Option<Record> = serde_json::from_str(&found.text).ok();
    let is_ours = record.is_some_and(|record| record.token == ours.token && !record.released);
    if is_ours {
        *tag = found.tag;
    }
    is_ours
}

async fn owner<S: Store>(store: &S, key: &str) -> String {
    words(read(store, key).await.ok().flatten())
}

/// Who has what is no longer ours.
fn words(record: Option<Record>) -> String {
    // What was broken still names whom it was taken from.
    let taken = record.filter(|record| !record.released);
    taken.map_or_else(|| "it was broken, and nobody".to_owned(), |record| record.words(now()))
}

async fn read<S: Store>(store: &S, key: &str) -> Result<Option<Record>, AwsError> {
    let found = store.read(key).await?;
    Ok(found.and_then(|document| serde_json::from_str(&document.text).ok()))
}

/// Does something that these locks are held for, and that asks for them by [`still_ours`].
pub async fn holding<S: Store + 'static, T>(locks: &[Held<S>], work: impl Future<Output = T>) -> T {
    let looks = locks.iter().map(|held| (held.system.clone(), held.look())).collect();
    OURS.scope(looks, work).await
}

/// To be waited for right before something of a system is changed: comes to an end only if its lock, where one is held, is
/// still ours. Otherwise whoever waits for [`Held::lost`] is told, and ends the work.
///
/// A lock can be broken between two renewals, and its next owner need not wait for us to notice.
pub async fn still_ours(system: &str) {
    let look = OURS.try_with(|looks| looks.get(system).cloned()).ok().flatten();
    if let Some(look) = look
        && !look().await
    {
        std::future::pending::<()>().await;
    }
}

impl<S: Store + 'static> Held<S> {
    /// Ends when the lock is somebody else's.
    pub async fn lost(&self) -> LockError {
        let mut lost = self.lost.subscribe();
        // The sender is ours, so it outlives the wait.
        let owner = lost.wait_for(Option::is_some).await.ok().and_then(|owner| owner.clone());
        LockError::Lost { system: self.system.clone(), owner: owner.unwrap_or_default() }
    }

    /// Looks at it now; what is lost is also told to whoever waits for that.
    fn look(&self) -> Look {
        let (store, key, token, lost) =
            (Arc::clone(&self.store), key(&self.system), self.token.clone(), self.lost.clone());
        Arc::new(move || {
            let (store, key, token, lost) = (Arc::clone(&store), key.clone(), token.clone(), lost.clone());
            Box::pin(async move {
                let owner = match read(&*store, &key).await {
                    Ok(Some(found)) if found.token == token && !found.released => return true,
                    Ok(found) => words(found),
                    Err(error) => format!("it could not be looked at ({error}), so anybody"),
                };
                lost.send_replace(Some(owner));
                false
            })
        })
    }

    /// Gives it back.
    async fn release(self, ui: &Ui) {
        self.renewal.abort();
        if let Err(error) = self.give_back().await {
            ui.warn(format_args!("the lock of {} was not given back and will expire: {error}", self.system));
        }
    }
}

impl<S: Store + 'static> Held<S> {
    async fn give_back(&self) -> Result<(), AwsError> {
        let (mut record, mut tag) = self.state.lock().await.clone();
        record.released = true;
        let key = key(&self.system);
        while self.store.replace(&key, &text(&record), &tag).await?.is_none() {
            // A renewal may have been under way when it was stopped; anything else is no longer ours to give.
            let Some(found) = self.store.read(&key).await? else { break };
            match serde_json::from_str::<Record>(&found.text) {
                Ok(theirs) if theirs.token == record.token && !theirs.released => tag = found.tag,
                _ => break,
            }
        }
        Ok(())
    }
}

/// Gives locks back.
pub async fn release_all<S: Store + 'static>(locks: Vec<Held<S>>, ui: &Ui) {
    for lock in locks {
        lock.release(ui).await;
    }
}

/// Who has the lock of a system; `None` when nobody does.
///
/// # Errors
///
/// When the call fails.
pub async fn show<S: Store>(store: &S, system: &str) -> Result<Option<Record>, AwsError> {
    Ok(read(store, &key(system)).await?.filter(|record| !record.released))
}

/// Takes the lock of a system away from whoever has it; returns who that was.
///
/// # Errors
///
/// When a call fails.
pub async fn shatter<S: Store>(store: &S, system: &str) -> Result<Option<Record>, AwsError> {
    loop {
        let Some(document) = store.read(&key(system)).await? else { return Ok(None) };
        let Ok(mut record) = serde_json::from_str::<Record>(&document.text) else { return Ok(None) };
        if record.released {
            return Ok(None);
        }
        record.released = true;
        record.token = token();
        if store.replace(&key(system), &text(&record), &document.tag).await?.is_some() {
            return Ok(Some(record));
        }
    }
}

fn mine(who: &str, command: &str, host: &str) -> Record {
    let now = now();
    Record {
        token: token(),
        who: who.to_owned(),
        host: host.to_owned(),
        process: std::process::id(),
        command: command.to_owned(),
        since: now,
        renewed: now,
        released: false,
    }
}

fn text(record: &Record) -> String {
    serde_json::to_string_pretty(record).unwrap_or_default()
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

pub(crate) fn token() -> String {
    let mut bytes = [0; 16];
    // Without random bytes, process and time still tell runs apart.
    let _zeros = getrandom::fill(&mut bytes);
    format!("{}-{}-{}", hex::encode(bytes), std::process::id(), now())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::Memory;

    async fn take(store: &Arc<Memory>) -> Result<Held<Memory>, LockError> {
        acquire(store, "dev", "notes", ("somebody", "deploy"), &Ui::new()).await
    }

    #[tokio::test]
    async fn one_at_a_time_and_the_next_when_it_is_given_back() {
        let store = Arc::new(Memory::default());
        let first = take(&store).await.expect("free");
        let second = take(&store).await.expect_err("taken");
        assert!(second.to_string().contains("locked by somebody (deploy on"), "{second}");
        release_all(vec![first], &Ui::new()).await;
        let third = take(&store).await.expect("free again");
        release_all(vec![third], &Ui::new()).await;
        assert_eq!(show(&*store, "notes").await.expect("read"), None);
    }

    #[tokio::test]
    async fn of_many_at_once_one_gets_it() {
        let store = Arc::new(Memory::default());
        let all = futures_util::future::join_all((0..20).map(|_| take(&store))).await;
        assert_eq!(all.iter().filter(|taken| taken.is_ok()).count(), 1);
    }

    #[tokio::test]
    async fn a_dead_owner_s_lock_is_taken_over() {
        let store = Arc::new(Memory::default());
        // No process has this number: the kernel's highest is 2^22.
        let dead = Record { process: u32::MAX, ..mine("somebody", "deploy", &host()) };
        store.create(&key("notes"), &text(&dead)).await.expect("written").expect("new");
        let taken = take(&store).await.expect("taken over");
        release_all(vec![taken], &Ui::new()).await;
    }

    #[tokio::test]
    async fn a_renewal_whose_answer_was_lost_is_known_again() {
        let store = Memory::default();
        let ours = mine("somebody", "deploy", &host());
        let mut tag = store.create(&key("notes"), &text(&ours)).await.expect("written").expect("new");
        let renewed = Record { renewed: ours.renewed + 30, ..ours.clone() };
        store.replace(&key("notes"), &text(&renewed), &tag).await.expect("written").expect("ours");
        assert!(adopt(&store, &key("notes"), &ours, &mut tag).await);
        assert!(store.replace(&key("notes"), &text(&ours), &tag).await.expect("written").is_some());
        let theirs = Record { token: token(), ..ours };
        assert!(!adopt(&store, &key("notes"), &theirs, &mut tag).await);
    }

    #[tokio::test]
    async fn whoever_loses_the_lock_is_told() {
        let store = Arc::new(Memory::default());
        let record = mine("somebody", "deploy", &host());
        let tag = store.create(&key("notes"), &text(&record)).await.expect("written").expect("new");
        let held = hold(&store, "notes", (record, tag), Duration::from_millis(1));
        let broken = shatter(&*store, "notes").await.expect("broken").expect("it was somebody's");
        assert_eq!(broken.process, std::process::id());
        let lost = held.lost().await;
        assert!(matches!(lost, LockError::Lost { .. }), "{lost}");
    }

    #[tokio::test]
    async fn a_lock_is_looked_at_before_something_is_changed() {
        let store = Arc::new(Memory::default());
        let held = take(&store).await.expect("free");
        let locks = [held];
        let work = async |what: &str| {
            tokio::select! {
                biased;
                () = holding(&locks, still_ours(what)) => None,
                lost = locks[0].lost() => Some(lost.to_string()),
            }
        };
        assert_eq!(work("notes").await, None);
        shatter(&*store, "notes").await.expect("broken").expect("it was somebody's");
        // Nothing renews it for half a minute.
        let lost = work("notes").await.expect("lost");
        assert!(lost.contains("the lock of notes is no longer ours: it was broken, and nobody has it"), "{lost}");
        let theirs = take(&store).await.expect("free");
        locks[0].lost.send_replace(None);
        let lost = work("notes").await.expect("lost");
        assert!(lost.contains("somebody (deploy on"), "{lost}");
        // What nobody locked is nobody's to lose.
        locks[0].lost.send_replace(None);
        assert_eq!(work("feeds").await, None);
        still_ours("notes").await;
        release_all(vec![theirs], &Ui::new()).await;
    }
}
