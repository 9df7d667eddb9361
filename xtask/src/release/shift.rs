//! Moving the aliases of an entered release, forwards or back.

use futures_util::future::join_all;

use super::{Context, ReleaseError};
use crate::{
    aws::AwsError,
    deploy::observe::LIVE,
    ledger::{Open, Outcome},
    store::Store,
};

/// Moves every alias of an open release to its version and closes the entry; if one cannot be moved, all go back.
///
/// Doing it again does no harm: an alias that is there already is pointed there once more.
///
/// # Errors
///
/// When an alias cannot be moved, or the ledger cannot be written.
pub async fn resume<S: Store>(mut open: Open, context: &Context<'_, S>) -> Result<Open, ReleaseError> {
    let moving: Vec<_> = open.entry.functions.clone().into_iter().collect();
    let moving: Vec<_> = moving.into_iter().filter(|(_, moved)| moved.before.as_ref() != Some(&moved.after)).collect();
    let moves = moving.iter().map(|(function, moved)| point(function, &moved.after, context));
    let failed = join_all(moves).await.into_iter().find_map(Result::err);
    if let Some((function, source)) = failed {
        abort(open, &format!("{function} could not be moved: {source}"), context).await?;
        return Err(ReleaseError::Aws { function, source });
    }
    for (function, moved) in &moving {
        let before = moved.before.as_deref().unwrap_or("nothing");
        context.ui.say(format_args!("✓ {function}: live {before} → {}", moved.after));
    }
    context.book.close(&mut open, Outcome::Released).await?;
    Ok(open)
}

/// Moves every alias of an open release back to what it pointed to before, and closes the entry.
///
/// # Errors
///
/// When an alias cannot be moved back, or the ledger cannot be written.
pub async fn abort<S: Store>(mut open: Open, why: &str, context: &Context<'_, S>) -> Result<Open, ReleaseError> {
    let functions = open.entry.functions.clone();
    let back = functions.iter().filter_map(|(function, moved)| Some((function, moved.before.as_ref()?)));
    let moves = back.map(|(function, before)| point(function, before, context));
    let stuck: Vec<_> = join_all(moves).await.into_iter().filter_map(Result::err).collect();
    if !stuck.is_empty() {
        return Err(ReleaseError::Mixed {
            stage: open.entry.stage.clone(),
            system: open.entry.system.clone(),
            functions: stuck.into_iter().map(|(function, _)| function).collect::<Vec<_>>().join(", "),
            why: why.to_owned(),
        });
    }
    context.book.close(&mut open, Outcome::Reverted { why: why.to_owned() }).await?;
    Ok(open)
}

async fn point<S: Store>(function: &str, version: &str, context: &Context<'_, S>) -> Result<(), (String, AwsError)> {
    let moved = context.clients.lambda().point(function, LIVE, version).await;
    moved.map_err(|error| (function.to_owned(), error))
}
