//! CloudFormation's drift detection.

use std::time::Duration;

use aws_sdk_cloudformation::types::{StackDriftDetectionStatus, StackResourceDriftStatus};

use super::{AwsError, Resource, cloudformation::CloudFormation, error::failed};
use crate::poll::{Progress, Schedule};

/// The longest detection of one stack; hundreds of resources take minutes.
const LIMIT: Duration = Duration::from_secs(15 * 60);
const SCHEDULE: Schedule = Schedule::doubling(Duration::from_millis(200), Duration::from_secs(5)).within(LIMIT);

/// The result of drift detection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Drift {
    /// Differences from what was deployed, one per line.
    Detected(Vec<String>),
    /// The detection failed or timed out; holds the reason.
    Unknown(String),
}

impl CloudFormation {
    /// Detects manual changes of a stack. Changes nothing.
    ///
    /// The drift of a stack with an operation in progress is [`Drift::Unknown`].
    pub(crate) async fn drift(&self, stack: &str) -> Result<Drift, AwsError> {
        let started = self.client.detect_stack_drift().stack_name(stack).send().await;
        let started = match started.map_err(failed("cloudformation:DetectStackDrift", Resource::stack(stack))) {
            Ok(started) => started,
            Err(error) if error.code.as_deref() == Some("ValidationError") => {
                return Ok(Drift::Unknown(error.to_string()));
            }
            Err(error) => return Err(error),
        };
        let id = started.stack_drift_detection_id().unwrap_or_default().to_owned();
        match self.detection_failure(stack, &id).await? {
            None => Ok(Drift::Detected(self.drifted(stack).await?)),
            Some(reason) => Ok(Drift::Unknown(reason)),
        }
    }

    /// Waits for a detection; returns why it failed, if it did.
    async fn detection_failure(&self, stack: &str, id: &str) -> Result<Option<String>, AwsError> {
        let ended = SCHEDULE.poll(async || {
            let request = self.client.describe_stack_drift_detection_status().stack_drift_detection_id(id);
            let status = request
                .send()
                .await
                .map_err(failed("cloudformation:DescribeStackDriftDetectionStatus", Resource::stack(stack)))?;
            Ok(match status.detection_status() {
                Some(StackDriftDetectionStatus::DetectionComplete) => Progress::Done(None),
                // The types of some resources do not support drift detection; the other resources were compared.
                Some(StackDriftDetectionStatus::DetectionFailed) => {
                    let reason = status.detection_status_reason().unwrap_or("CloudFormation gives no reason");
                    Progress::Done(Some(reason.to_owned()))
                }
                _ => Progress::Pending(()),
            })
        });
        Ok(match ended.await? {
            Progress::Done(failure) => failure,
            Progress::Pending(()) => Some(format!("the detection has not finished after {} min", LIMIT.as_secs() / 60)),
        })
    }

    async fn drifted(&self, stack: &str) -> Result<Vec<String>, AwsError> {
        let request = self
            .client
            .describe_stack_resource_drifts()
            .stack_name(stack)
            .stack_resource_drift_status_filters(StackResourceDriftStatus::Modified)
            .stack_resource_drift_status_filters(StackResourceDriftStatus::Deleted);
        let (mut found, mut pages) = (Vec::new(), request.into_paginator().send());
        while let Some(page) = pages.next().await {
            let page = page.map_err(failed("cloudformation:DescribeStackResourceDrifts", Resource::stack(stack)))?;
            for drift in page.stack_resource_drifts() {
                let id = format!("{stack}/{}", drift.logical_resource_id().unwrap_or_default());
                if drift.stack_resource_drift_status() == Some(&StackResourceDriftStatus::Deleted) {
                    found.push(format!("{id} was deleted"));
                }
                // Paths only: values may be secret.
                let paths = drift.property_differences().iter().filter_map(|difference| difference.property_path());
                found.extend(paths.map(|path| format!("{id}: {} was changed", path.trim_start_matches('/'))));
            }
        }
        Ok(found)
    }
}
