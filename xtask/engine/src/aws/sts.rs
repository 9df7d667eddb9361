//! STS: the caller's identity.

use super::{AwsError, Clients, Resource, error::failed};

/// The identity of the caller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub account: String,
    /// The ARN of a user, or of an assumed role's session.
    pub arn: String,
}

impl Caller {
    /// The IAM identity whose policies apply: the role of a session.
    ///
    /// A session's ARN lacks the role's path (IAM user guide, "IAM identifiers"), so the result is wrong for a role with a path.
    pub(crate) fn identity(&self) -> String {
        let role = self.arn.split_once(":assumed-role/").and_then(|(_, rest)| rest.split('/').next());
        role.map_or_else(|| self.arn.clone(), |role| format!("arn:aws:iam::{}:role/{role}", self.account))
    }
}

impl Clients {
    /// Reads the identity of the caller.
    ///
    /// # Errors
    ///
    /// When there are no credentials, or they have expired.
    pub(crate) async fn caller(&self) -> Result<Caller, AwsError> {
        let client = client!(aws_sdk_sts, self, None);
        let identity =
            client.get_caller_identity().send().await.map_err(failed("sts:GetCallerIdentity", Resource::caller()))?;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Ok(Caller { account: text(identity.account()), arn: text(identity.arn()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_of_a_session_is_its_role() {
        let caller = |arn: &str| Caller { account: "111122223333".to_owned(), arn: arn.to_owned() };
        let session = caller("arn:aws:sts::111122223333:assumed-role/deploy/run-7");
        assert_eq!(session.identity(), "arn:aws:iam::111122223333:role/deploy");
        let user = caller("arn:aws:iam::111122223333:user/ann");
        assert_eq!(user.identity(), user.arn);
    }
}
