//! The permission to send mail.

use model::{
    parts::policy::Statement,
    template::{Expression, Text},
};

/// Allows sending mail from an address. SES checks the identity that is verified: the address, or its domain (Service Authorization
/// Reference, "Amazon SES").
pub(super) fn send(from: &str) -> Statement {
    let domain = from.rsplit('@').next().unwrap_or(from);
    let identity = |name: &str| -> Text {
        let arn = format!("arn:${{AWS::Partition}}:ses:${{AWS::Region}}:${{AWS::AccountId}}:identity/{name}");
        Expression::sub(&arn, []).into()
    };
    Statement::allow(["ses:SendEmail"], [identity(from), identity(domain)])
}
