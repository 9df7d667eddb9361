//! Checks of the values in stage files, one for each kind of value, shared by all systems.
//!
//! A check knows the form of a value only: an address that passes may still belong to another person. A value that fails
//! would be deployed without an error, and then never work.

use crate::{parts::cdn, stage::Stage, template::RenderError};

/// The service that serves a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateUse {
    /// CloudFront, which accepts certificates from one region only (CloudFront developer guide, "Requirements for using SSL/TLS
    /// certificates with CloudFront").
    CloudFront,
    /// A regional domain of an API, whose certificate is in the API's region (API Gateway developer guide, "Set up a Regional
    /// custom domain name").
    RegionalDomain,
}

impl CertificateUse {
    fn region(self, stage: &Stage) -> &str {
        match self {
            Self::CloudFront => cdn::REGION,
            Self::RegionalDomain => &stage.region,
        }
    }
}

/// Checks the settings of one system. Errors name the stage's file, the key, the value and the expected form.
#[derive(Debug, Clone, Copy)]
pub struct SettingsCheck<'a> {
    system: &'static str,
    stage: &'a Stage,
}

impl<'a> SettingsCheck<'a> {
    /// Checks settings of `system` in `stage`.
    #[must_use]
    pub const fn new(system: &'static str, stage: &'a Stage) -> Self {
        Self { system, stage }
    }

    /// Returns the error for settings that are wrong in another way; `message` names the key.
    #[must_use]
    pub fn error(self, message: &str) -> RenderError {
        let message = format!("{}: {message}", self.stage.file());
        RenderError::Settings { system: self.system.to_owned(), message }
    }

    /// Checks origins. They must have the form that browsers send, because they are compared with it byte by byte.
    ///
    /// # Errors
    ///
    /// The first value that is not an origin.
    pub fn origins(self, key: &str, origins: &[String]) -> Result<(), RenderError> {
        let expected = "an origin as browsers send it: `https://` and a lower-case host, with a port only if it is not \
                        the default, and without `*`, path or trailing slash; `http://` only for localhost";
        self.check_values(key, origins, is_origin, expected)
    }

    /// Checks e-mail addresses: one address in each value.
    ///
    /// # Errors
    ///
    /// The first value that is not an address.
    pub fn emails<'t>(self, key: &str, addresses: impl IntoIterator<Item = &'t String>) -> Result<(), RenderError> {
        self.check_values(key, addresses, is_email, "one e-mail address, like ops@example.com")
    }

    /// Checks URLs that functions or their clients call.
    ///
    /// # Errors
    ///
    /// The first value that is not a URL of http or https, or that has a query or fragment.
    pub fn urls<'t>(self, key: &str, urls: impl IntoIterator<Item = &'t String>) -> Result<(), RenderError> {
        let expected = "a URL of http or https without query and fragment, like https://www.example.com";
        self.check_values(key, urls, is_url, expected)
    }

    /// Checks domain names.
    ///
    /// # Errors
    ///
    /// The first value that is not a lower-case domain name.
    pub fn domains<'t>(self, key: &str, names: impl IntoIterator<Item = &'t String>) -> Result<(), RenderError> {
        self.check_values(key, names, is_domain, "a lower-case domain name, like api.example.com")
    }

    /// Checks IDs of Route 53 hosted zones.
    ///
    /// # Errors
    ///
    /// The first value that is not a hosted zone's ID.
    pub fn hosted_zones<'t>(self, key: &str, ids: impl IntoIterator<Item = &'t String>) -> Result<(), RenderError> {
        self.check_values(key, ids, is_hosted_zone, "a hosted zone's ID, like Z0123456789EXAMPLE")
    }

    /// Checks ARNs of certificates in Certificate Manager, which must be in the stage's account and the region of their use.
    ///
    /// # Errors
    ///
    /// The first value that is not such a certificate's ARN.
    pub fn certificates<'t>(
        self,
        key: &str,
        arns: impl IntoIterator<Item = &'t String>,
        used_by: CertificateUse,
    ) -> Result<(), RenderError> {
        let (region, account) = (used_by.region(self.stage), self.stage.account.as_str());
        let expected = format!(
            "the ARN of a certificate in {region} and the stage's account, arn:aws:acm:{region}:{account}:certificate/<id>"
        );
        let is_usable = |arn: &str| {
            let filled = arn
                .replace("${AWS::Partition}", "aws")
                .replace("${AWS::Region}", &self.stage.region)
                .replace("${AWS::AccountId}", account);
            is_certificate(arn) && place_of(&filled) == Some((region, account))
        };
        self.check_values(key, arns, is_usable, &expected)
    }

    /// Checks ARNs of SES identities.
    ///
    /// # Errors
    ///
    /// The first value that is not an SES identity's ARN.
    pub fn ses_identities<'t>(self, key: &str, arns: impl IntoIterator<Item = &'t String>) -> Result<(), RenderError> {
        let expected = "an SES identity's ARN, arn:aws:ses:<region>:<account>:identity/<domain or address>";
        self.check_values(key, arns, is_ses_identity, expected)
    }

    fn check_values<'t>(
        self,
        key: &str,
        values: impl IntoIterator<Item = &'t String>,
        is_valid: impl Fn(&str) -> bool,
        expected: &str,
    ) -> Result<(), RenderError> {
        match values.into_iter().find(|value| !is_valid(value)) {
            Some(value) => Err(self.error(&format!("`{key}` is `{value}`, but must be {expected}"))),
            None => Ok(()),
        }
    }
}

/// An origin of RFC 6454, section 6.2, without the scheme's own port, which browsers omit.
fn is_origin(text: &str) -> bool {
    let (host, usual) = match text.split_once("://") {
        Some(("https", rest)) => (rest, "443"),
        Some(("http", rest)) => (rest, "80"),
        _ => return false,
    };
    let (name, port) = with_port(host);
    let is_local = ["localhost", "127.0.0.1"].contains(&name);
    is_host(name) && port.is_none_or(|port| is_port(port) && port != usual) && (is_local || text.starts_with("https:"))
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    // RFC 5321, section 4.5.3.1, and the atoms of RFC 5322. Quoted local parts are not accepted.
    (1..=64).contains(&local.len())
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte))
        && is_domain(&domain.to_ascii_lowercase())
}

fn is_url(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://").filter(|(scheme, _)| ["http", "https"].contains(scheme)) else {
        return false;
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (name, port) = with_port(host);
    is_host(&name.to_ascii_lowercase())
        && port.is_none_or(is_port)
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\"<>\\".contains(&byte))
}

fn is_domain(text: &str) -> bool {
    is_host(text) && text.contains('.')
}

/// A host name of RFC 1123, section 2.1.
fn is_host(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(is_allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

fn with_port(host: &str) -> (&str, Option<&str>) {
    host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)))
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0 && port.to_string() == text)
}

/// Amazon Route 53 API reference, `HostedZone`: at most 32 characters.
fn is_hosted_zone(text: &str) -> bool {
    (2..=32).contains(&text.len())
        && text.starts_with('Z')
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

fn is_certificate(text: &str) -> bool {
    is_arn(text, "acm", "certificate/")
}

/// Returns the region and the account of an ARN without expressions; `None` for other texts and ARNs without a region.
pub(crate) fn place_of(arn: &str) -> Option<(&str, &str)> {
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    match parts[..] {
        ["arn", _, _, region, account, _] if !region.is_empty() => Some((region, account)),
        _ => None,
    }
}

fn is_ses_identity(text: &str) -> bool {
    is_arn(text, "ses", "identity/")
}

/// An ARN of a service's resource. Partition, region and account may be pseudo parameters.
fn is_arn(text: &str, service: &str, resource: &str) -> bool {
    // The colons of `${AWS::Region}` do not separate parts.
    let text = text.replace("AWS::", "");
    let parts: Vec<_> = text.splitn(6, ':').collect();
    let [arn, partition, owner, region, account, rest] = parts[..] else { return false };
    let is_complete = [partition, region, account].iter().all(|part| !part.is_empty());
    let has_name = rest.strip_prefix(resource).is_some_and(|name| !name.is_empty());
    arn == "arn" && owner == service && is_complete && has_name && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_accepts(is_valid: impl Fn(&str) -> bool, valid: &[&str], invalid: &[&str]) {
        for text in valid {
            assert!(is_valid(text), "{text} is refused");
        }
        for text in invalid {
            assert!(!is_valid(text), "{text} is accepted");
        }
    }

    #[test]
    fn origins_have_the_form_that_browsers_send() {
        assert_accepts(
            is_origin,
            &[
                "https://app.example.com",
                "https://app.example.com:8443",
                "http://localhost:3000",
                "http://127.0.0.1",
                "https://xn--bcher-kva.example",
            ],
            &[
                "",
                "*",
                "https://*.example.com",
                "https://app.example.com/",
                "https://app.example.com/app",
                "https://App.example.com",
                "HTTPS://app.example.com",
                "https://app.example.com:443",
                "http://localhost:80",
                "https://app.example.com:",
                "https://app.example.com:99999",
                "https://app.example.com:08443",
                "http://app.example.com",
                "http://localhost.example.com",
                "https://a.example,https://b.example",
                "https://user@app.example.com",
                "app.example.com",
                "null",
                " https://app.example.com",
                "https://",
                "https://bücher.example",
                "ftp://app.example.com",
            ],
        );
    }

    #[test]
    fn each_value_is_one_address() {
        assert_accepts(
            is_email,
            &["a@b.c", "first.last+tag@Mail.example.com", "o'neil@example.com"],
            &["", "x", "nope", "@example.com", "a@", "a@b", "a@b.c,evil@x.y", "a b@example.com", "a@b@c.d", "a@.c"],
        );
        assert_accepts(is_email, &[], &["a.@b.c", ".a@b.c", "a..b@b.c", "Ops <ops@example.com>", "a@b.c ", "a@b.c\n"]);
    }

    #[test]
    fn urls_have_scheme_and_host_and_no_query() {
        assert_accepts(
            is_url,
            &[
                "https://worker.example.com",
                "http://10.0.0.1:8080/base/",
                "https://keys.example/a%20b",
                "http://localhost:1",
            ],
            &[
                "",
                "ftp://x",
                "worker.example.com",
                "https://",
                "https://a b",
                "https://a/?q",
                "https://a/#f",
                "https://a/ b",
            ],
        );
        assert_accepts(
            is_url,
            &[],
            &["https://user:secret@a", "javascript://a", "https://a:0", "https://a:b", "https:///a"],
        );
    }

    #[test]
    fn certificates_are_where_they_are_used() {
        let stage = Stage::example("dev");
        let check = |arn: &str, used_by| {
            SettingsCheck::new("notes", &stage).certificates("certificate_arn", [&arn.to_owned()], used_by)
        };
        use CertificateUse::{CloudFront, RegionalDomain};
        let arn = |region: &str, account: &str| format!("arn:aws:acm:{region}:{account}:certificate/1234");
        let (home, own) = ("eu-central-1", "111122223333");
        for (arn, used_by, is_right) in [
            (arn("us-east-1", own), CloudFront, true),
            (arn(home, own), CloudFront, false),
            (arn("us-east-1", "444455556666"), CloudFront, false),
            (arn(home, own), RegionalDomain, true),
            (arn("us-east-1", own), RegionalDomain, false),
            (
                "arn:${AWS::Partition}:acm:${AWS::Region}:${AWS::AccountId}:certificate/1".to_owned(),
                RegionalDomain,
                true,
            ),
            ("arn:${AWS::Partition}:acm:${AWS::Region}:${AWS::AccountId}:certificate/1".to_owned(), CloudFront, false),
            ("arn:aws:acm:us-east-1:${AWS::AccountId}:certificate/1".to_owned(), CloudFront, true),
        ] {
            assert_eq!(check(&arn, used_by).is_ok(), is_right, "{arn} {used_by:?}");
        }
        let error = check(&arn(home, own), CloudFront).expect_err("another region").to_string();
        assert!(error.contains("must be the ARN of a certificate in us-east-1"), "{error}");
    }

    #[test]
    fn domains_zones_and_arns_are_complete() {
        assert_accepts(
            is_domain,
            &["api.example.com", "example.com"],
            &["", "localhost", "api.example.com.", "https://a.b", "A.b", "*.a.b"],
        );
        assert_accepts(
            is_hosted_zone,
            &["Z0123456789EXAMPLE", "Z2"],
            &["", "Z", "z0123", "0123", "/hostedzone/Z0123", "Z 1"],
        );
        assert_accepts(
            is_certificate,
            &[
                "arn:aws:acm:us-east-1:111122223333:certificate/1234",
                "arn:${AWS::Partition}:acm:${AWS::Region}:${AWS::AccountId}:certificate/1234",
            ],
            &["", "1234", "arn:aws:acm:us-east-1:111122223333:certificate/", "arn:aws:iam::111122223333:role/x"],
        );
        assert_accepts(
            is_ses_identity,
            &["arn:aws:ses:eu-central-1:111122223333:identity/example.com"],
            &["", "ops@example.com"],
        );
    }
}
