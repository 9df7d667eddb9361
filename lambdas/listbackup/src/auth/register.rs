//! Registration: a user in the pool, then the rows of user and account.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use common::telemetry;
use jiff::Timestamp;
use listbackup_contract::events::USER_REGISTERED;
use serde_json::{Map, json};

use super::{
    gate::Gate,
    pool::{Pool, PoolError},
    serve::{happening_of, unavailable},
    users::Users,
};
use crate::{
    mail::{Mail, Mailer},
    requests::{Fields, Reply, invalid},
    shared::{
        audit::{Audit, Happening},
        envelope::Problem,
        identity::Role,
        ids::Kind,
        rows::{
            Account, User,
            account::{AccountSettings, Usage},
            user::UserStatus,
        },
        time,
    },
};

/// The state of the function.
#[derive(Debug)]
pub(crate) struct Register {
    pub(crate) pool: Pool,
    pub(crate) users: Users,
    pub(crate) accounts_table: String,
    pub(crate) audit: Audit,
    pub(crate) gate: Gate,
    pub(crate) mailer: Mailer,
}

/// A valid request.
struct Request {
    email: String,
    password: String,
    name: String,
    account_name: String,
}

pub(crate) async fn register(app: &Register, address: &str, fields: &Fields) -> Result<Reply, Problem> {
    let request = parse(fields)?;
    let now = Timestamp::now();
    app.gate.admit_address(address, now).await?;
    app.gate.admit_account(&request.email, now).await?;
    let created = app.pool.create(&request.email, &request.name, &request.password).await;
    let sub = created.map_err(refusal)?;
    let (user, account) = rows(&request, &sub);
    if let Err(problem) = complete(app, &request, &user, &account).await {
        // Without its rows the user could neither sign in nor register again.
        if let Err(error) = app.pool.delete(&sub).await {
            tracing::error!(
                error = telemetry::chain(&error),
                user = user.user_id,
                "failed to delete a user without rows"
            );
        }
        return Err(problem);
    }
    app.audit.announce(USER_REGISTERED, &happening(&user)).await;
    let text = format!("Hello {},\n\nyour account \"{}\" is ready. You can sign in now.\n", user.name, account.name);
    app.mailer.send(Mail { to: &user.email, subject: "Welcome to ListBackup", text: &text }).await;
    Ok(Reply {
        status: StatusCode::CREATED,
        data: json!({
            "user": {
                "userId": user.user_id,
                "email": user.email,
                "name": user.name,
                "accountId": user.account_id,
                "role": user.role,
                "mfaEnabled": false,
                "emailVerified": false,
            },
            "account": {
                "accountId": account.account_id,
                "name": account.name,
                "plan": account.plan,
                "status": account.status,
            },
            "message": "Registration successful",
        }),
    })
}

/// Makes the password permanent and writes the rows.
async fn complete(app: &Register, request: &Request, user: &User, account: &Account) -> Result<(), Problem> {
    let permanent = app.pool.set_password(&user.cognito_user_id, &request.password).await;
    permanent.map_err(refusal)?;
    let activity = app.audit.trail.write(&happening(user).activity())?;
    Ok(app.users.register(user, (&app.accounts_table, account), activity).await?)
}

fn happening(user: &User) -> Happening {
    happening_of((&user.account_id, &user.user_id), "registered", "registered", "A user was registered")
}

fn parse(fields: &Fields) -> Result<Request, Problem> {
    let email = fields.email("email")?;
    let password = fields.password("password")?.to_owned();
    let name = fields.name("name")?.to_owned();
    let account_name = match fields.has("accountName") {
        true => fields.name("accountName")?.to_owned(),
        false => format!("{name}'s account"),
    };
    Ok(Request { email, password, name, account_name })
}

fn rows(request: &Request, sub: &str) -> (User, Account) {
    let now = time::now();
    let (user_id, account_id) = (Kind::User.with(sub), Kind::Account.generate());
    let user = User {
        user_id: user_id.clone(),
        email: request.email.clone(),
        name: request.name.clone(),
        account_id: account_id.clone(),
        role: Role::Owner,
        status: UserStatus::Active,
        cognito_user_id: sub.to_owned(),
        mfa_enabled: false,
        preferences: Map::new(),
        families: BTreeMap::new(),
        last_login_at: None,
        created_at: now.clone(),
        updated_at: now.clone(),
    };
    let account = Account {
        account_id,
        name: request.account_name.clone(),
        owner_user_id: user_id,
        plan: "free".to_owned(),
        status: "trial".to_owned(),
        billing_email: request.email.clone(),
        settings: AccountSettings::default(),
        usage: Usage::default(),
        created_at: now.clone(),
        updated_at: now,
    };
    (user, account)
}

fn refusal(error: PoolError) -> Problem {
    match error {
        PoolError::Exists => {
            Problem::new(StatusCode::CONFLICT, "USER_EXISTS", "a user with this e-mail address exists already")
        }
        PoolError::Password(reason) => invalid("password", &format!("was refused: {reason}")),
        // The pool names the parameter, and checks no other values of a request.
        PoolError::Parameter(reason) if reason.to_lowercase().contains("password") => {
            invalid("password", "must neither begin nor end with a space")
        }
        PoolError::Parameter(reason) if reason.to_lowercase().contains("email") => {
            invalid("email", "must be an e-mail address")
        }
        PoolError::TooMany => unavailable(),
        error => error.into(),
    }
}
