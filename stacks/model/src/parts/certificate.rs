//! A certificate that validates itself through the hosted zone its domains lie in.

use crate::{
    resources::certificate_manager::{Certificate, certificate as properties},
    template::{list, set},
};

/// A certificate for the first of `domains`, and for the others too. Without a hosted zone's id somebody must make the
/// DNS records that the certificate waits for.
#[must_use]
pub fn certificate(domains: &[&str], hosted_zone: Option<&str>) -> Certificate {
    let option = |domain: &&str| properties::DomainValidationOption {
        domain_name: set(*domain),
        hosted_zone_id: hosted_zone.map(Into::into),
        ..properties::DomainValidationOption::default()
    };
    let (first, others) = domains.split_first().map_or(("", domains), |(first, others)| (*first, others));
    Certificate {
        domain_name: set(first),
        subject_alternative_names: (!others.is_empty()).then(|| list(others.iter().copied())).flatten(),
        validation_method: set("DNS"),
        domain_validation_options: hosted_zone.map(|_| domains.iter().map(option).collect()),
        ..Certificate::default()
    }
}
