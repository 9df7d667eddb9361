//! A certificate that is validated through the hosted zone of its domains.

use crate::{
    resources::certificate_manager::{Certificate, certificate as properties},
    template::{list, set},
};

/// Returns an `AWS::CertificateManager::Certificate` for all of `domains`; the first one is its main name.
///
/// Without a hosted zone's ID, the DNS records for its validation must be created by hand while the stack waits.
#[must_use]
pub fn certificate(domains: &[&str], hosted_zone_id: Option<&str>) -> Certificate {
    let option = |domain: &&str| properties::DomainValidationOption {
        domain_name: set(*domain),
        hosted_zone_id: hosted_zone_id.map(Into::into),
        ..properties::DomainValidationOption::default()
    };
    let (first, others) = domains.split_first().map_or(("", domains), |(first, others)| (*first, others));
    Certificate {
        domain_name: set(first),
        subject_alternative_names: (!others.is_empty()).then(|| list(others.iter().copied())).flatten(),
        validation_method: set("DNS"),
        domain_validation_options: hosted_zone_id.map(|_| domains.iter().map(option).collect()),
        ..Certificate::default()
    }
}
