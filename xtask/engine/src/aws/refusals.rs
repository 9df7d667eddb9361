//! The reasons why CloudFormation refuses a change set. Its validations report them as events of the operation, not in the change set.

use aws_sdk_cloudformation::types::{EventFilter, OperationEvent};

use super::{Resource, cloudformation::CloudFormation, error::failed};

impl CloudFormation {
    /// Lists the validation failures of a change set, one per resource.
    ///
    /// The list is empty if there are none, or if the caller may not read events; then the change set's own reason remains.
    ///
    /// The change set must be named by its ARN (CloudFormation user guide, "Validate stack deployments").
    pub(super) async fn refusals(&self, change_set: &str) -> Vec<String> {
        let failures = EventFilter::builder().failed_events(true).build();
        let request = self.client.describe_events().change_set_name(change_set).filters(failures);
        let (mut refusals, mut events) = (Vec::new(), request.into_paginator().items().send());
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => refusals.extend(description(&event).filter(|refusal| !refusals.contains(refusal))),
                Err(error) => {
                    let error =
                        failed("cloudformation:DescribeEvents", Resource::named("change set", change_set))(error);
                    tracing::debug!(%error, "the reasons for the refusal are unknown");
                    break;
                }
            }
        }
        refusals
    }
}

/// `Bucket (AWS::S3::Bucket): the name is taken, at /Resources/Bucket`.
fn description(event: &OperationEvent) -> Option<String> {
    let reason = event.validation_status_reason().or(event.resource_status_reason())?;
    let id = event.logical_resource_id().unwrap_or("the template");
    let resource_type = event.resource_type().map(|name| format!(" ({name})")).unwrap_or_default();
    let place = event.validation_path().map(|path| format!(", at {path}")).unwrap_or_default();
    Some(format!("{id}{resource_type}: {reason}{place}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_resource_and_the_place() {
        let event = OperationEvent::builder()
            .logical_resource_id("Raw")
            .resource_type("AWS::S3::Bucket")
            .validation_status_reason("Resource of type 'AWS::S3::Bucket' with identifier 'raw' already exists.")
            .validation_path("/Resources/Raw");
        let refusal = description(&event.build()).expect("a refusal");
        assert!(refusal.starts_with("Raw (AWS::S3::Bucket): Resource of type"), "{refusal}");
        assert!(refusal.ends_with("already exists., at /Resources/Raw"), "{refusal}");
        assert_eq!(description(&OperationEvent::builder().logical_resource_id("Raw").build()), None);
    }
}
