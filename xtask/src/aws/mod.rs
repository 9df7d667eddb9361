//! The only module that names the AWS SDK: one file per service, SDK types turned into our own at the boundary.
