//! What the values of stage files must be: one check for each kind, used by every system. What passes here may still be
//! somebody else's; what does not would be deployed, and only then never work.

use crate::{stage::Stage, template::RenderError};

/// Checks one system's settings; errors name the stage's file, the key, the value and what it must be.
#[derive(Debug, Clone, Copy)]
pub struct Checked<'a> {
    system: &'static str,
    stage: &'a Stage,
}

impl<'a> Checked<'a> {
    pub const fn new(system: &'static str, stage: &'a Stage) -> Self {
        Self { system, stage }
    }

    /// Anything else that is wrong with the settings.
    pub fn wrong(self, message: &str) -> RenderError {
        let message = format!("stacks/stages/{}.yaml: {message}", self.stage.name);
        RenderError::Settings { system: self.system.to_owned(), message }
    }

    /// Origins as browsers send them: each is compared with theirs, byte by byte.
    pub fn origins(self, key: &str, origins: &[String]) -> Result<(), RenderError> {
        let expected = "an origin as browsers send it: `https://` and a lower-case host, with a port only where it is \
                        not the usual one, and neither `*` nor path nor final slash; `http://` for localhost only";
        self.each(key, origins, is_origin, expected)
    }

    /// E-mail addresses: of each, mail must arrive, and a list joined by commas must have as many.
    pub fn emails<'t>(self, key: &str, addresses: impl IntoIterator<Item = &'t String>) -> Result<(), RenderError> {
        self.each(key, addresses, is_email, "one e-mail address, like ops@example.com")
    }

    /// Addresses that functions or their clients call.
    pub fn urls<'t>(self, key: &str, urls: impl IntoIterator<Item = &'t String>) -> Result<(), RenderError> {
        self.each(key, urls, is_url, "a URL of http or https without query and fragment, like https://www.example.com")
    }

    /// Names in DNS.
    pub fn domains<'t>(self, key: &str, names: impl IntoIterator<Item = &'t String>) -> Result<(), RenderError> {
        self.each(key, names, is_domain, "a domain's lower-case name, like api.example.com")
    }

    /// Hosted zones of Route 53.
    pub fn hosted_zones<'t>(self, key: &str, ids: impl IntoIterator<Item = &'t String>) -> Result<(), RenderError> {
        self.each(key, ids, is_hosted_zone, "a hosted zone's ID, like Z0123456789EXAMPLE")
    }

    /// Certificates of Certificate Manager.
    pub fn certificates<'t>(self, key: &str, arns: impl IntoIterator<Item = &'t String>) -> Result<(), RenderError> {
        let is = |arn: &str| is_arn(arn, "acm", "certificate/");
        self.each(key, arns, is, "a certificate's ARN, arn:aws:acm:<region>:<account>:certificate/<id>")
    }

    /// Identities of SES.
    pub fn ses_identities<'t>(self, key: &str, arns: impl IntoIterator<Item = &'t String>) -> Result<(), RenderError> {
        let is = |arn: &str| is_arn(arn, "ses", "identity/");
        self.each(key, arns, is, "an SES identity's ARN, arn:aws:ses:<region>:<account>:identity/<domain or address>")
    }

    fn each<'t>(
        self,
        key: &str,
        values: impl IntoIterator<Item = &'t String>,
        is: impl Fn(&str) -> bool,
        expected: &str,
    ) -> Result<(), RenderError> {
        match values.into_iter().find(|value| !is(value)) {
            Some(value) => Err(self.wrong(&format!("`{key}` is `{value}`, but must be {expected}"))),
            None => Ok(()),
        }
    }
}

/// RFC 6454, section 6.2, and what browsers leave out: a scheme's own port.
fn is_origin(text: &str) -> bool {
    let (host, usual) = match text.split_once("://") {
        Some(("https", rest)) => (rest, "443"),
        Some(("http", rest)) => (rest, "80"),
        _ => return false,
    };
    let (name, port) = with_port(host);
    let here = ["localhost", "127.0.0.1"].contains(&name);
    is_host(name) && port.is_none_or(|port| is_port(port) && port != usual) && (here || text.starts_with("https:"))
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    // RFC 5321, section 4.5.3.1; RFC 5322's atoms: what needs quotes is nobody's address.
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

/// Labels of RFC 1123, section 2.1.
fn is_host(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
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

/// Partition, region and account may be pseudo parameters.
fn is_arn(text: &str, service: &str, resource: &str) -> bool {
    // `${AWS::Region}` has colons of its own.
    let text = text.replace("AWS::", "");
    let parts: Vec<_> = text.splitn(6, ':').collect();
    let [arn, partition, of, region, account, what] = parts[..] else { return false };
    let filled = [partition, region, account].iter().all(|part| !part.is_empty());
    let named = what.strip_prefix(resource).is_some_and(|name| !name.is_empty());
    arn == "arn" && of == service && filled && named && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(is: impl Fn(&str) -> bool, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(is(text), "{text} is refused");
        }
        for text in bad {
            assert!(!is(text), "{text} passes");
        }
    }

    #[test]
    fn origins_are_as_browsers_send_them() {
        hold(
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
    fn addresses_are_one_each() {
        hold(
            is_email,
            &["a@b.c", "first.last+tag@Mail.example.com", "o'neil@example.com"],
            &["", "x", "nope", "@example.com", "a@", "a@b", "a@b.c,evil@x.y", "a b@example.com", "a@b@c.d", "a@.c"],
        );
        hold(is_email, &[], &["a.@b.c", ".a@b.c", "a..b@b.c", "Ops <ops@example.com>", "a@b.c ", "a@b.c\n"]);
    }

    #[test]
    fn urls_can_be_called() {
        hold(
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
        hold(is_url, &[], &["https://user:secret@a", "javascript://a", "https://a:0", "https://a:b", "https:///a"]);
    }

    #[test]
    fn names_zones_and_arns_are_complete() {
        hold(
            is_domain,
            &["api.example.com", "example.com"],
            &["", "localhost", "api.example.com.", "https://a.b", "A.b", "*.a.b"],
        );
        hold(is_hosted_zone, &["Z0123456789EXAMPLE", "Z2"], &["", "Z", "z0123", "0123", "/hostedzone/Z0123", "Z 1"]);
        let certificate = |arn: &str| is_arn(arn, "acm", "certificate/");
        hold(
            certificate,
            &[
                "arn:aws:acm:us-east-1:111122223333:certificate/1234",
                "arn:${AWS::Partition}:acm:${AWS::Region}:${AWS::AccountId}:certificate/1234",
            ],
            &["", "1234", "arn:aws:acm:us-east-1:111122223333:certificate/", "arn:aws:iam::111122223333:role/x"],
        );
        let identity = |arn: &str| is_arn(arn, "ses", "identity/");
        hold(identity, &["arn:aws:ses:eu-central-1:111122223333:identity/example.com"], &["", "ops@example.com"]);
    }
}
