//! Admin accounts: listed by admins, managed by super admins.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use axum::extract::State;
use serde_json::{Value, json};

use super::shared::{Answer, Id, Shared, ok};
use crate::{
    app::App,
    aws::AwsError,
    body::Fields,
    error::ApiError,
    http::Caller,
    tables::admins::{Admin, AdminStatus, Edit, SUPER_ADMIN},
    time,
};

/// The number of recent logins in the statistics.
const RECENT_LOGINS: usize = 10;
/// The longest valid e-mail address: <https://www.rfc-editor.org/errata/eid1690>.
const MAX_EMAIL_BYTES: usize = 254;
const MAX_DESCRIPTION_BYTES: usize = 2000;

pub(crate) async fn list(State(app): Shared) -> Answer {
    add_super_admin_rows(&app).await?;
    ok(app.admins.list().await?)
}

pub(crate) async fn add(State(app): Shared, Caller(caller): Caller, fields: Fields) -> Answer {
    fields.only(&["email", "role", "description"], "is not allowed")?;
    let email = parse_email(fields.text("email")?)?;
    let role = fields.text("role")?.map(parse_role).transpose()?.unwrap_or("admin");
    let description = parse_description(&fields)?.unwrap_or_default();
    add_super_admin_rows(&app).await?;
    let admin = Admin::new(&email, role, description, &caller.email, &time::now());
    if !app.admins.add(&admin).await? {
        return Err(ApiError::bad_request(format!("Admin with email \"{email}\" already exists")));
    }
    app.directory.mirror(&email, true).await;
    ok(json!({"success": true, "admin": admin, "message": "Admin added successfully"}))
}

pub(crate) async fn update(State(app): Shared, Caller(caller): Caller, Id(id): Id, fields: Fields) -> Answer {
    let missing = || ApiError::bad_request("Admin not found");
    fields.only(&["role", "description", "status"], "cannot be updated")?;
    let edit = Edit {
        role: fields.text("role")?.map(parse_role).transpose()?.map(str::to_owned),
        description: parse_description(&fields)?.map(str::to_owned),
        status: parse_status(&fields)?,
    };
    add_super_admin_rows(&app).await?;
    let admin = find_admin(&app, &id).await?.ok_or_else(missing)?;
    if is_super(&app, &admin) && (edit.role.is_some() || edit.status.is_some()) {
        return Err(ApiError::forbidden("Cannot change super admin"));
    }
    let admin = app.admins.edit(&id, &edit, &caller.email, &time::now()).await?.ok_or_else(missing)?;
    if let Some(status) = edit.status {
        app.directory.mirror(&admin.email, status == AdminStatus::Active).await;
    }
    ok(json!({"success": true, "admin": admin, "message": "Admin updated successfully"}))
}

pub(crate) async fn remove(State(app): Shared, Caller(caller): Caller, Id(id): Id) -> Answer {
    let missing = || ApiError::not_found("Admin not found");
    add_super_admin_rows(&app).await?;
    let admin = find_admin(&app, &id).await?.ok_or_else(missing)?;
    if is_super(&app, &admin) {
        return Err(ApiError::forbidden("Cannot remove super admin"));
    }
    // A second removal keeps the date of the first one.
    if admin.status == AdminStatus::Active {
        let edit = Edit { status: Some(AdminStatus::Removed), ..Edit::default() };
        app.admins.edit(&id, &edit, &caller.email, &time::now()).await?.ok_or_else(missing)?;
    }
    app.directory.mirror(&admin.email, false).await;
    ok(json!({"success": true, "message": "Admin removed successfully"}))
}

pub(crate) async fn statistics(State(app): Shared) -> Answer {
    add_super_admin_rows(&app).await?;
    ok(statistics_json(&app.admins.list().await?))
}

fn statistics_json(admins: &[Admin]) -> Value {
    let active: Vec<&Admin> = admins.iter().filter(|admin| admin.status == AdminStatus::Active).collect();
    let mut roles: BTreeMap<&str, usize> = BTreeMap::new();
    for admin in &active {
        *roles.entry(&admin.role).or_default() += 1;
    }
    let mut logins: Vec<&Admin> = admins.iter().filter(|admin| admin.last_login.is_some()).collect();
    logins.sort_by_key(|admin| Reverse(admin.last_login.clone()));
    let logins: Vec<Value> = logins
        .into_iter()
        .take(RECENT_LOGINS)
        .map(|admin| json!({"email": admin.email, "last_login": admin.last_login, "login_count": admin.login_count}))
        .collect();
    json!({
        "total_admins": admins.len(),
        "active_admins": active.len(),
        "super_admins": active.iter().filter(|admin| admin.is_super_admin).count(),
        "removed_admins": admins.len() - active.len(),
        "roles": roles,
        "recent_logins": logins,
        "timestamp": time::now(),
    })
}

/// Adds the missing rows of the stage's super admins, once per instance.
async fn add_super_admin_rows(app: &Arc<App>) -> Result<(), AwsError> {
    let put = async || {
        let now = time::now();
        for email in app.super_admins.iter() {
            app.admins.add(&Admin::new(email, SUPER_ADMIN, "", "system", &now)).await?;
        }
        Ok(())
    };
    app.super_admin_rows.get_or_try_init(put).await.copied()
}

async fn find_admin(app: &Arc<App>, id: &str) -> Result<Option<Admin>, AwsError> {
    let is_well_formed = id.len() == 20 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_well_formed { app.admins.get(id).await } else { Ok(None) }
}

fn is_super(app: &Arc<App>, admin: &Admin) -> bool {
    admin.is_super_admin || app.super_admins.contains(&admin.email)
}

/// Validates an e-mail address and converts it to its stored form.
fn parse_email(text: Option<&str>) -> Result<String, ApiError> {
    let text = text.filter(|text| !text.is_empty()).ok_or_else(|| ApiError::bad_request("Email is required"))?;
    let printable = text
        .chars()
        .all(|character| !character.is_whitespace() && !character.is_control() && !"\"\\<>(),;:".contains(character));
    let well_formed = text.split_once('@').is_some_and(|(name, domain)| {
        let labels = || domain.split('.');
        !name.is_empty() && !domain.contains('@') && labels().count() > 1 && labels().all(|label| !label.is_empty())
    });
    if !printable || !well_formed || text.len() > MAX_EMAIL_BYTES {
        return Err(ApiError::bad_request("Invalid email format"));
    }
    Ok(text.to_lowercase())
}

/// Validates a role: any label except the reserved one.
fn parse_role(text: &str) -> Result<&str, ApiError> {
    let label = (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if label && text != SUPER_ADMIN { Ok(text) } else { Err(ApiError::bad_request("Invalid role")) }
}

fn parse_description(fields: &Fields) -> Result<Option<&str>, ApiError> {
    match fields.text("description")? {
        Some(text) if text.len() > MAX_DESCRIPTION_BYTES => {
            Err(ApiError::field("description", &format!("at most {MAX_DESCRIPTION_BYTES} bytes")))
        }
        text => Ok(text),
    }
}

fn parse_status(fields: &Fields) -> Result<Option<AdminStatus>, ApiError> {
    match fields.text("status")? {
        None => Ok(None),
        Some("active") => Ok(Some(AdminStatus::Active)),
        Some("removed") => Ok(Some(AdminStatus::Removed)),
        Some(_) => Err(ApiError::field("status", "active or removed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_validated_and_lowercased() {
        assert_eq!(parse_email(Some("New@Example.COM")).expect("an address"), "new@example.com");
        for nothing in [None, Some("")] {
            assert_eq!(parse_email(nothing).expect_err("nothing").text(), "Email is required");
        }
        let long = format!("{}@example.com", "a".repeat(250));
        for wrong in [
            "a",
            "a@b",
            "a b@example.com",
            " a@example.com",
            "a@b@c.d",
            "@b.c",
            "a@.c",
            "a@b.",
            "\"a\"@b.c",
            "bad",
            &long,
        ] {
            assert_eq!(parse_email(Some(wrong)).expect_err(wrong).text(), "Invalid email format");
        }
    }

    #[test]
    fn roles_are_lowercase_labels() {
        assert_eq!(parse_role("content_editor").expect("a label"), "content_editor");
        for wrong in ["", "super_admin", "Admin", "a-b", "a b", &"a".repeat(33)] {
            assert_eq!(parse_role(wrong).expect_err(wrong).text(), "Invalid role");
        }
    }

    #[test]
    fn removed_admins_are_counted_separately() {
        let mut removed = Admin::new("a@example.com", "admin", "", "root@example.com", "t");
        removed.status = AdminStatus::Removed;
        let mut seen = Admin::new("b@example.com", "editor", "", "root@example.com", "t");
        seen.last_login = Some("2026-01-01T00:00:00.000Z".to_owned());
        seen.login_count = 2;
        let root = Admin::new("root@example.com", SUPER_ADMIN, "", "system", "t");
        let json = statistics_json(&[removed, seen, root]);
        assert_eq!(
            (&json["total_admins"], &json["active_admins"], &json["super_admins"], &json["removed_admins"]),
            (&json!(3), &json!(2), &json!(1), &json!(1))
        );
        assert_eq!(json["roles"], json!({"editor": 1, "super_admin": 1}));
        assert_eq!(
            json["recent_logins"],
            json!([{"email": "b@example.com", "last_login": "2026-01-01T00:00:00.000Z", "login_count": 2}])
        );
    }
}
