//! Identity tokens of the stage's issuers, signed with RS256 by a key that the issuer publishes.

use std::{error::Error, time::Duration};

use common::{
    outbound::Outbound,
    token::{CountedFrom, Fetch, KeySet, Refresh, Unverified},
};
use jiff::{SignedDuration, Timestamp};
use thakii_contract::issuers::{AuthIssuer, FIREBASE_JWKS_URL, IssuerKind};

use super::{
    error::TokenError,
    identity::{Identity, TokenKind},
};

/// Keys are cached for an hour, fetched again for an unknown key ID, and used for up to a day while the issuer is
/// unreachable.
const REFRESH: Refresh = Refresh {
    fresh: SignedDuration::from_hours(1),
    usable: SignedDuration::from_hours(24),
    interval: SignedDuration::from_secs(60),
    counted_from: CountedFrom::Attempt,
};
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest lifetime of an ID token, in seconds, whichever a client configures: one day (Cognito user pools API
/// reference, `CreateUserPoolClient`: `IdTokenValidity`).
const LONGEST_COGNITO: i64 = 24 * 3600;
/// The lifetime of an ID token, in seconds: one hour (Firebase documentation, "Manage User Sessions").
const LONGEST_FIREBASE: i64 = 3600;
/// Keys take a few kilobytes.
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

#[derive(Debug)]
pub(crate) struct Issuers(Vec<Issuer>);

#[derive(Debug)]
struct Issuer {
    kind: IssuerKind,
    name: String,
    audience: String,
    keys: KeySet<Documents>,
}

/// An invalid list of issuers.
#[derive(Debug, thiserror::Error)]
pub enum IssuersError {
    /// The variable is not a list of issuers.
    #[error("failed to parse AUTH_ISSUERS")]
    Syntax(#[from] serde_json::Error),
    /// None or several issuers are primary.
    #[error("AUTH_ISSUERS must have exactly one primary issuer")]
    Primary,
}

impl Issuers {
    /// Parses the contract's list. `endpoint` is the address of the emulator, if there is one.
    pub(crate) fn parse(list: &str, endpoint: Option<&str>, outbound: &Outbound) -> Result<Self, IssuersError> {
        let issuers: Vec<AuthIssuer> = serde_json::from_str(list)?;
        if issuers.iter().filter(|issuer| issuer.primary).count() != 1 {
            return Err(IssuersError::Primary);
        }
        let issuers = issuers.into_iter().map(|issuer| Issuer {
            kind: issuer.kind,
            keys: KeySet::new(jwks_url(&issuer, endpoint), Documents(outbound.clone()), REFRESH),
            name: issuer.issuer,
            audience: issuer.audience,
        });
        Ok(Self(issuers.collect()))
    }

    pub(crate) async fn verify(&self, token: &Unverified<'_>, now: Timestamp) -> Result<Identity, TokenError> {
        let name = token.issuer().ok_or(TokenError::Invalid("issuer"))?;
        // Two issuers may have the same name and different audiences.
        let mut rejection = TokenError::Invalid("issuer");
        for issuer in self.0.iter().filter(|issuer| issuer.name == name) {
            match issuer.verify(token, now).await {
                Err(error @ TokenError::Invalid(_)) => rejection = error,
                answer => return answer,
            }
        }
        Err(rejection)
    }
}

/// Returns the address of an issuer's keys.
fn jwks_url(issuer: &AuthIssuer, endpoint: Option<&str>) -> String {
    let base = || match endpoint {
        // An emulator's pools carry AWS's issuer name, so their keys are looked up at the emulator.
        Some(endpoint) => {
            let pool = issuer.issuer.rsplit('/').next().unwrap_or_default();
            format!("{}/{pool}/.well-known/jwks.json", endpoint.trim_end_matches('/'))
        }
        None => format!("{}/.well-known/jwks.json", issuer.issuer),
    };
    issuer.jwks_url.clone().filter(|url| !url.is_empty()).unwrap_or_else(|| match issuer.kind {
        IssuerKind::Cognito => base(),
        IssuerKind::Firebase => FIREBASE_JWKS_URL.to_owned(),
    })
}

/// The issuers' published documents.
#[derive(Debug)]
struct Documents(Outbound);

impl Fetch for Documents {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        let response = self.0.get(url, FETCH_TIMEOUT, MAX_DOCUMENT_BYTES).await?;
        match response.status {
            200 => Ok(response.body),
            status => Err(format!("the response's status is {status}").into()),
        }
    }
}

impl Issuer {
    async fn verify(&self, token: &Unverified<'_>, now: Timestamp) -> Result<Identity, TokenError> {
        if token.algorithm() != "RS256" {
            return Err(TokenError::Invalid("algorithm"));
        }
        let key_id = token.key_id().ok_or(TokenError::Invalid("key"))?;
        let key = self.keys.get(key_id, now).await?.ok_or(TokenError::Invalid("key"))?;
        let claims = token.verify_rs256(&key)?;
        if !claims.is_for(&self.audience) {
            return Err(TokenError::Invalid("audience"));
        }
        // AWS's access tokens have no `aud`, but an emulator's may.
        if self.kind == IssuerKind::Cognito && claims.text("token_use") != Some("id") {
            return Err(TokenError::Invalid("use"));
        }
        let (kind, longest) = match self.kind {
            IssuerKind::Cognito => (TokenKind::Cognito, LONGEST_COGNITO),
            IssuerKind::Firebase => (TokenKind::Firebase, LONGEST_FIREBASE),
        };
        Identity::from_claims(claims, kind, longest, now)
    }
}

#[cfg(test)]
mod tests {
    use common::outbound::Settings;

    use super::*;

    fn issuer(kind: IssuerKind, jwks_url: Option<&str>) -> AuthIssuer {
        AuthIssuer {
            kind,
            primary: true,
            issuer: "https://cognito-idp.us-east-2.amazonaws.com/us-east-2_abc".to_owned(),
            jwks_url: jwks_url.map(str::to_owned),
            audience: "client".to_owned(),
        }
    }

    #[test]
    fn the_keys_address_depends_on_the_kind() {
        let cognito = issuer(IssuerKind::Cognito, None);
        assert_eq!(
            jwks_url(&cognito, None),
            "https://cognito-idp.us-east-2.amazonaws.com/us-east-2_abc/.well-known/jwks.json"
        );
        assert_eq!(
            jwks_url(&cognito, Some("http://127.0.0.1:4566/")),
            "http://127.0.0.1:4566/us-east-2_abc/.well-known/jwks.json"
        );
        assert_eq!(jwks_url(&issuer(IssuerKind::Firebase, None), None), FIREBASE_JWKS_URL);
        let elsewhere = issuer(IssuerKind::Firebase, Some("http://127.0.0.1:9/keys"));
        assert_eq!(jwks_url(&elsewhere, None), "http://127.0.0.1:9/keys");
    }

    #[test]
    fn a_list_needs_one_primary_issuer() {
        let outbound = Outbound::new(Settings::open("test"));
        let mut list = vec![issuer(IssuerKind::Cognito, None), issuer(IssuerKind::Firebase, None)];
        let text = |list: &[AuthIssuer]| serde_json::to_string(list).expect("plain data");
        assert!(matches!(Issuers::parse(&text(&list), None, &outbound), Err(IssuersError::Primary)));
        list[1].primary = false;
        assert_eq!(Issuers::parse(&text(&list), None, &outbound).expect("one").0.len(), 2);
        list[0].primary = false;
        assert!(matches!(Issuers::parse(&text(&list), None, &outbound), Err(IssuersError::Primary)));
        for wrong in ["", "{}", r#"[{"kind":"saml"}]"#] {
            assert!(matches!(Issuers::parse(wrong, None, &outbound), Err(IssuersError::Syntax(_))), "{wrong}");
        }
    }
}
