//! Roles, computed for every request that depends on one, never cached.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thakii_contract::{ADMINS_GROUP, SUPER_ADMINS_GROUP};

use super::identity::{Identity, normalized};
use crate::tables::admins::AdminStatus;

/// A caller's role. Each role includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Sees their own videos.
    User,
    /// Sees all videos and manages servers.
    Admin,
    /// Manages admins too.
    SuperAdmin,
}

impl Role {
    pub(crate) fn is_admin(self) -> bool {
        self >= Self::Admin
    }
}

/// The stage's super admins, by e-mail address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SuperAdmins(BTreeSet<String>);

impl SuperAdmins {
    /// Parses a comma-separated list.
    pub(crate) fn parse(list: &str) -> Self {
        Self(list.split(',').map(normalized).filter(|email| !email.is_empty()).collect())
    }

    pub(crate) fn contains(&self, email: &str) -> bool {
        self.0.contains(&normalized(email))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// Computes a caller's role; `row` is the status of the admin row for their e-mail address.
pub(crate) fn compute_role(identity: &Identity, super_admins: &SuperAdmins, row: Option<AdminStatus>) -> Role {
    let in_group = |group: &str| identity.groups.iter().any(|name| name == group);
    let email_verified = identity.email_verified;
    if (email_verified && super_admins.contains(&identity.email)) || in_group(SUPER_ADMINS_GROUP) {
        return Role::SuperAdmin;
    }
    match row {
        // Applies to members of the group too, so that a removal takes effect at once.
        Some(AdminStatus::Removed) => Role::User,
        Some(AdminStatus::Active) if email_verified => Role::Admin,
        _ if in_group(ADMINS_GROUP) => Role::Admin,
        _ => Role::User,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::identity::TokenKind;

    fn caller(email: &str, email_verified: bool, groups: &[&str]) -> Identity {
        Identity {
            uid: "u".to_owned(),
            email: email.to_owned(),
            name: String::new(),
            picture: String::new(),
            email_verified,
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            kind: TokenKind::Cognito,
            provider: "cognito".to_owned(),
            auth_time: 0,
            issued_at: 0,
            expires_at: 0,
        }
    }

    #[test]
    fn roles_follow_from_address_groups_and_row() {
        use AdminStatus::{Active, Removed};
        use Role::{Admin, SuperAdmin, User};
        let root = SuperAdmins::parse("root@example.com, Ops@Example.com ,");
        type Case = (&'static str, bool, &'static [&'static str], Option<AdminStatus>, Role);
        let cases: [Case; 13] = [
            ("root@example.com", true, &[], None, SuperAdmin),
            ("ops@example.com", true, &[], Some(Removed), SuperAdmin),
            ("root@example.com", false, &[], None, User),
            ("ana@example.com", false, &["super-admins"], None, SuperAdmin),
            ("ana@example.com", true, &["super-admins"], Some(Removed), SuperAdmin),
            ("ana@example.com", true, &[], None, User),
            ("ana@example.com", true, &[], Some(Active), Admin),
            ("ana@example.com", false, &[], Some(Active), User),
            ("ana@example.com", false, &["admins"], Some(Active), Admin),
            ("ana@example.com", true, &["admins"], None, Admin),
            ("ana@example.com", true, &["admins"], Some(Removed), User),
            ("ana@example.com", true, &["users"], None, User),
            ("ana@example.com", true, &["Admins", "admin"], None, User),
        ];
        for (email, verified, groups, row, expected) in cases {
            let actual = compute_role(&caller(email, verified, groups), &root, row);
            assert_eq!(actual, expected, "{email} {verified} {groups:?} {row:?}");
        }
    }

    #[test]
    fn roles_are_ordered() {
        assert!(Role::SuperAdmin.is_admin() && Role::Admin.is_admin() && !Role::User.is_admin());
    }
}
