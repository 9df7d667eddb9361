//! Signing out: the family ends here, and every session in the user pool. The authorizer refuses its access tokens at once, because it
//! reads the user's families.

use common::telemetry;
use listbackup_contract::events::USER_LOGOUT;
use serde_json::json;

use super::{
    pool::Pool,
    serve::{happening_of, session_required},
    users::Users,
};
use crate::{
    requests::Reply,
    shared::{audit::Audit, envelope::Problem, identity::Identity, ids},
};

/// The state of the function.
#[derive(Debug)]
pub(crate) struct Logout {
    pub(crate) pool: Pool,
    pub(crate) users: Users,
    pub(crate) audit: Audit,
}

pub(crate) async fn logout(app: &Logout, caller: &Identity) -> Result<Reply, Problem> {
    session_required(caller)?;
    app.users.remove_family(&caller.user_id, &caller.family).await?;
    // The session has ended already, so a failure here is only logged.
    if let Err(error) = app.pool.sign_out(ids::bare(&caller.user_id)).await {
        tracing::warn!(
            error = telemetry::chain(&error),
            user = caller.user_id,
            "failed to sign a user out of the pool"
        );
    }
    let id = format!("logout:{}", caller.family);
    let happening = happening_of((&caller.account_id, &caller.user_id), &id, "logout", "A user signed out");
    app.audit.record(USER_LOGOUT, &happening).await;
    Ok(Reply::ok(json!({ "message": "Signed out", "userId": caller.user_id })))
}
