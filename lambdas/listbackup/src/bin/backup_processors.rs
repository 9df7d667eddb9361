//! Starts the functions of the binary `listbackup-backup-processors`.

use std::process::ExitCode;

use listbackup::processors::{serve_files, serve_orchestrator, serve_scheduler};
use listbackup_contract::processors::{BackupOrchestrator, FileProcessor, JobScheduler};

fn main() -> ExitCode {
    common::functions()
        .function::<BackupOrchestrator>(async |started| serve_orchestrator(started.environment, &started.aws).await)
        .function::<FileProcessor>(async |started| serve_files(started.environment, &started.aws).await)
        .function::<JobScheduler>(async |started| serve_scheduler(started.environment, &started.aws).await)
        .run()
}
