//! The fields of requests about users.

use crate::{
    requests::{Fields, invalid},
    shared::envelope::Problem,
};

/// The shortest password; the user pool's policy demands more.
const PASSWORD_CHARACTERS: usize = 8;
/// The longest password (Cognito user pools API reference, `PasswordType`).
const LONGEST_PASSWORD: usize = 256;
/// The longest e-mail address (RFC 5321, section 4.5.3.1.3: a path, without its brackets).
const LONGEST_EMAIL: usize = 254;
/// The longest name of a user or an account.
const LONGEST_NAME: usize = 128;

impl Fields {
    /// Returns a required e-mail address, in lower case.
    pub(crate) fn email(&self, name: &str) -> Result<String, Problem> {
        let email = self.text(name)?.trim().to_lowercase();
        if is_email(&email) { Ok(email) } else { Err(invalid(name, "must be an e-mail address")) }
    }

    /// Returns a required password of a length that the user pool may accept.
    pub(crate) fn password(&self, name: &str) -> Result<&str, Problem> {
        let password = self.text(name)?;
        let length = password.chars().count();
        if length < PASSWORD_CHARACTERS {
            return Err(invalid(name, &format!("must have at least {PASSWORD_CHARACTERS} characters")));
        }
        if length > LONGEST_PASSWORD {
            return Err(invalid(name, &format!("must have at most {LONGEST_PASSWORD} characters")));
        }
        Ok(password)
    }

    /// Returns a required name of one line.
    pub(crate) fn name(&self, name: &str) -> Result<&str, Problem> {
        let text = self.text(name)?.trim();
        let is_valid = (1..=LONGEST_NAME).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        let problem = || invalid(name, &format!("must be a line of at most {LONGEST_NAME} characters"));
        is_valid.then_some(text).ok_or_else(problem)
    }
}

/// Checks the form of an address; whether it exists is not known.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_plain = |text: &str| {
        !text
            .chars()
            .any(|character| character.is_whitespace() || character.is_control() || "@<>,;\"\\()[]".contains(character))
    };
    let labels: Vec<&str> = domain.split('.').collect();
    text.len() <= LONGEST_EMAIL
        && !local.is_empty()
        && is_plain(local)
        && is_plain(domain)
        && labels.len() > 1
        && labels.iter().all(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn fields(value: Value) -> Fields {
        Fields(value.as_object().expect("an object").clone())
    }

    #[test]
    fn addresses_have_a_name_and_a_domain() {
        for good in ["a@example.com", "a.b+c@mail.example.co.uk", "ü@example.com"] {
            assert!(is_email(good), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(250));
        for bad in [
            "",
            "a",
            "@example.com",
            "a@",
            "a@localhost",
            "a@b..c",
            "a b@example.com",
            "a@b@c.de",
            "a\n@b.de",
            "<a@b.de>",
            &long,
        ] {
            assert!(!is_email(bad), "{bad}");
        }
        assert_eq!(fields(json!({"email": " Ana@Example.COM "})).email("email").as_deref(), Ok("ana@example.com"));
    }

    #[test]
    fn a_problem_names_its_field() {
        for (value, reason) in [
            (json!({}), "password is missing"),
            (json!({"password": null}), "password is missing"),
            (json!({"password": 12_345_678}), "password must be a text that is not empty"),
            (json!({"password": "1234567"}), "password must have at least 8 characters"),
            (json!({"password": "x".repeat(257)}), "password must have at most 256 characters"),
        ] {
            let problem = fields(value).password("password").expect_err("invalid");
            assert_eq!((problem.status.as_u16(), problem.code, &*problem.message), (400, "VALIDATION_FAILED", reason));
            assert_eq!(problem.fields["details"], json!({"field": "password"}));
        }
        assert!(fields(json!({"name": "a\nb"})).name("name").is_err());
        assert_eq!(fields(json!({"name": " Ana "})).name("name"), Ok("Ana"));
    }
}
