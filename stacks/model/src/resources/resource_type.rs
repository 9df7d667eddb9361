//! The trait of all generated structs of resource properties. The only file of this folder that is written by hand.

use serde::Serialize;

/// The properties of one CloudFormation resource type.
///
/// Property paths are those of a template, separated by `/`; `*` is any item of a list.
pub trait ResourceType: Serialize {
    /// The type's name, for example `AWS::S3::Bucket`.
    const TYPE: &'static str;
    /// The attributes that the service sets, in the form that `Fn::GetAtt` takes, for example `Arn`.
    ///
    /// They are the schema's read-only properties. CloudFormation returns some attributes that are not among them, and
    /// rejects a few that are.
    const ATTRIBUTES: &'static [&'static str];
    /// The paths of the properties whose change replaces the resource.
    const CREATE_ONLY: &'static [&'static str];
    /// The paths of the properties whose change replaces the resource under some conditions.
    const CONDITIONALLY_CREATE_ONLY: &'static [&'static str];
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{
        resources::{
            ResourceType,
            lambda::{Alias, alias},
            s3::{Bucket, bucket},
        },
        template::value::Expression,
    };

    #[test]
    fn properties_have_their_names_in_a_template_and_unset_ones_are_absent() {
        let bucket = Bucket {
            bucket_name: Some("raw".into()),
            bucket_encryption: Some(bucket::BucketEncryption {
                server_side_encryption_configuration: Some(vec![bucket::ServerSideEncryptionRule {
                    bucket_key_enabled: Some(true.into()),
                    server_side_encryption_by_default: Some(bucket::ServerSideEncryptionByDefault {
                        sse_algorithm: Some("aws:kms".into()),
                        kms_master_key_id: Some(Expression::pseudo("AWS::NoValue").into()),
                    }),
                    ..Default::default()
                }]),
            }),
            ..Default::default()
        };
        assert_eq!(
            serde_json::to_value(&bucket).expect("properties are JSON"),
            json!({
                "BucketName": "raw",
                "BucketEncryption": { "ServerSideEncryptionConfiguration": [{
                    "BucketKeyEnabled": true,
                    "ServerSideEncryptionByDefault": {
                        "SSEAlgorithm": "aws:kms",
                        "KMSMasterKeyID": { "Ref": "AWS::NoValue" },
                    },
                }]},
            })
        );
        assert_eq!(Bucket::TYPE, "AWS::S3::Bucket");
        assert!(Bucket::CREATE_ONLY.contains(&"BucketName") && Bucket::ATTRIBUTES.contains(&"Arn"));
    }

    #[test]
    fn numbers_stay_numbers() {
        let weight = alias::VersionWeight { function_version: Some("2".into()), function_weight: Some(0.1.into()) };
        let alias = Alias {
            routing_config: Some(alias::AliasRoutingConfiguration { additional_version_weights: Some(vec![weight]) }),
            ..Default::default()
        };
        assert_eq!(
            serde_json::to_value(&alias).expect("properties are JSON"),
            json!({ "RoutingConfig": { "AdditionalVersionWeights": [
                { "FunctionVersion": "2", "FunctionWeight": 0.1 }
            ]}})
        );
    }
}
