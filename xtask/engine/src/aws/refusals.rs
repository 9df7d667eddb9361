//! Why CloudFormation refuses a change set: its validations say so in events of the operation, not in the change set's reason.

use aws_sdk_cloudformation::types::{EventFilter, OperationEvent};

use super::{cloudformation::CloudFormation, error::failed};

impl CloudFormation {
    /// What CloudFormation's validations refuse a change set for, resource by resource; nothing where they say nothing, or the
    /// caller may not ask: what the change set itself says is the reason then.
    ///
    /// The change set must be named by its ARN (CloudFormation user guide, "Validate stack deployments").
    pub(super) async fn refusals(&self, change_set: &str) -> Vec<String> {
        let failures = EventFilter::builder().failed_events(true).build();
        let request = self.client.describe_events().change_set_name(change_set).filters(failures);
        let (mut refusals, mut events) = (Vec::new(), request.into_paginator().items().send());
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => refusals.extend(in_words(&event).filter(|refusal| !refusals.contains(refusal))),
                Err(error) => {
                    let error = failed("cloudformation:DescribeEvents", error);
                    tracing::debug!(%error, "the reasons for the refusal are unknown");
                    break;
                }
            }
        }
        refusals
    }
}

/// `Bucket (AWS::S3::Bucket): the name is taken, at /Resources/Bucket`.
fn in_words(event: &OperationEvent) -> Option<String> {
    let reason = event.validation_status_reason().or(event.resource_status_reason())?;
    let id = event.logical_resource_id().unwrap_or("the template");
    let kind = event.resource_type().map(|kind| format!(" ({kind})")).unwrap_or_default();
    let place = event.validation_path().map(|path| format!(", at {path}")).unwrap_or_default();
    Some(format!("{id}{kind}: {reason}{place}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_what_is_refused_and_where() {
        let event = OperationEvent::builder()
            .logical_resource_id("Raw")
            .resource_type("AWS::S3::Bucket")
            .validation_status_reason("Resource of type 'AWS::S3::Bucket' with identifier 'raw' already exists.")
            .validation_path("/Resources/Raw");
        let said = in_words(&event.build()).expect("a refusal");
        assert!(said.starts_with("Raw (AWS::S3::Bucket): Resource of type"), "{said}");
        assert!(said.ends_with("already exists., at /Resources/Raw"), "{said}");
        assert_eq!(in_words(&OperationEvent::builder().logical_resource_id("Raw").build()), None);
    }
}
