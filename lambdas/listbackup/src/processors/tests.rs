//! Whole runs in memory.

mod stage;
mod storm;

use listbackup_contract::tables::{ACTIVITY, FILES, JOBS, RUNS, SOURCES};
use serde_json::{Value, json};

use self::stage::{ACCOUNT, DATA_QUEUE, JOB_QUEUE, SOURCE, Stage, check_sums};
use crate::{
    runs::message::{FileMessage, RunMessage},
    shared::rows::{
        Job, Run,
        job::{Interval, Schedule},
    },
};

#[tokio::test(flavor = "current_thread")]
async fn a_run_stores_and_counts_each_file() {
    let stage = Stage::of_bucket();
    let text = "all work and no play ".repeat(500);
    for (key, content) in [("a.txt", text.as_str()), ("b/c.json", "{}"), ("d.jpg", "jpeg"), ("folder/", "")] {
        stage.cloud.state().objects.put(&format!("src/{key}"), content.as_bytes());
    }
    let run_id = stage.start().await;
    stage.deliver_all().await;
    let run = stage.run_row(&run_id);
    assert_eq!((run.files_total, run.files_processed, run.stats.files_added), (3, 3, 3));
    assert_eq!(run.status, crate::shared::rows::run::RunStatus::Completed);
    assert_eq!(run.by_type["document"], i64::try_from(text.len()).expect("small"));
    let a = stage.row(FILES.name, &crate::shared::ids::file_id(SOURCE, "a.txt"));
    assert_eq!(
        (&a["compressed"], &a["s3VersionId"], &a["contentType"]),
        (&json!(true), &json!("v1"), &json!("text/plain"))
    );
    assert!(a["storedBytes"].as_u64() < Some(1000));
    let job = stage.job();
    assert_eq!((job.run_count, job.active_run_id, job.last_run.expect("a run").run_id), (1, None, run_id.clone()));
    assert_eq!(stage.row(SOURCES.name, SOURCE)["status"], "active");
    assert_eq!(stage.events("File Indexed").len(), 3);
    assert_eq!(stage.row(ACTIVITY.name, &format!("{run_id}:finished"))["type"], "job.run.completed");
    check_sums(&stage);
}

#[tokio::test(flavor = "current_thread")]
async fn a_second_run_skips_what_did_not_change() {
    let stage = Stage::of_bucket();
    for key in ["a.txt", "b.txt", "c.txt"] {
        stage.cloud.state().objects.put(&format!("src/{key}"), key.as_bytes());
    }
    stage.start().await;
    stage.deliver_all().await;
    let second = stage.start().await;
    stage.deliver_all().await;
    assert_eq!((stage.run_row(&second).stats.files_skipped, stage.run_row(&second).stats.bytes_transferred), (3, 0));
    stage.cloud.state().objects.put("src/a.txt", b"changed");
    let third = stage.start().await;
    stage.deliver_all().await;
    let run = stage.run_row(&third);
    assert_eq!((run.stats.files_updated, run.stats.files_skipped, run.stats.delta_bytes), (1, 2, 2));
    let key = format!("data/{}", crate::shared::ids::object_key(ACCOUNT, SOURCE, "a.txt"));
    assert_eq!(stage.cloud.state().objects.versions(&key).len(), 2);
    check_sums(&stage);
}

#[tokio::test(flavor = "current_thread")]
async fn a_repetition_of_every_message_changes_nothing() {
    let stage = Stage::of_bucket();
    for number in 0..5 {
        stage.cloud.state().objects.put(&format!("src/{number}"), b"x");
    }
    stage.cloud.state().objects.missing.push("src/3".to_owned());
    stage.start().await;
    stage.deliver_all().await;
    let before = stage.dump();
    for _ in 0..3 {
        for queue in [DATA_QUEUE, JOB_QUEUE] {
            for body in stage.messages(queue).iter().rev() {
                assert!(stage.deliver(queue, body, 1).await);
            }
        }
    }
    assert_eq!(stage.dump(), before);
    assert_eq!(stage.events("Job Completed").len(), 1);
    check_sums(&stage);
}

#[tokio::test(flavor = "current_thread")]
async fn a_source_that_is_deleted_during_its_backup_fails_the_run() {
    let stage = Stage::of_bucket();
    for number in 0..4 {
        stage.cloud.state().objects.put(&format!("src/{number}"), b"x");
    }
    let run_id = stage.start().await;
    assert!(stage.deliver_run(&stage.messages(JOB_QUEUE)[0], 1).await);
    let files = stage.messages(DATA_QUEUE);
    assert!(stage.deliver_file(&files[0], 1).await);
    stage.cloud.state().items.remove(SOURCES.name, &[SOURCE]);
    for body in &files {
        assert!(stage.deliver_file(body, 1).await, "the rest is acknowledged");
    }
    let run = stage.run_row(&run_id);
    assert_eq!(
        (run.status, run.error.as_deref()),
        (crate::shared::rows::run::RunStatus::Failed, Some("the source was deleted"))
    );
    assert_eq!((run.files_processed, stage.job().active_run_id), (1, None));
    assert_eq!((stage.events("Job Failed").len(), stage.events("Job Completed").len()), (1, 0));
    check_sums(&stage);
}

#[tokio::test(flavor = "current_thread")]
async fn a_file_that_fails_three_times_is_an_error_until_its_redrive() {
    let stage = Stage::new("http", json!({ "urls": ["http://127.0.0.1:1/a.txt", "http://127.0.0.1:1/b.txt"] }));
    let run_id = stage.start().await;
    assert!(stage.deliver_run(&stage.messages(JOB_QUEUE)[0], 1).await);
    for body in stage.messages(DATA_QUEUE) {
        for receive in 1..=3 {
            assert!(!stage.deliver_file(&body, receive).await, "a dead letter");
        }
    }
    let run = stage.run_row(&run_id);
    assert_eq!((run.stats.files_error, run.files_processed, run.logs.len()), (2, 0, 2));
    assert_eq!(run.error.as_deref(), Some("every file failed"));
    // The source moves, and the dead letters are redriven.
    let server = serve("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
    for body in stage.messages(DATA_QUEUE) {
        let mut message: Value = serde_json::from_str(&body).expect("a message");
        message["origin"]["url"] = json!(server);
        assert!(stage.deliver_file(&message.to_string(), 1).await);
    }
    let run = stage.run_row(&run_id);
    assert_eq!((run.stats.files_error, run.files_processed, run.stats.files_added), (0, 2, 2));
    assert_eq!((stage.events("Job Amended").len(), stage.events("Job Failed").len()), (2, 1));
    check_sums(&stage);
}

/// A server that gives every request the same answer.
pub(super) async fn serve(answer: &'static str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/file", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    url
}

#[tokio::test(flavor = "current_thread")]
async fn foreign_and_unknown_messages_are_refused() {
    let stage = Stage::of_bucket();
    stage.cloud.state().objects.put("src/a", b"x");
    stage.start().await;
    assert!(stage.deliver_run(&stage.messages(JOB_QUEUE)[0], 1).await);
    let (run, file) = (stage.messages(JOB_QUEUE)[0].clone(), stage.messages(DATA_QUEUE)[0].clone());
    let change = |body: &str, field: &str, value: &str| {
        let mut message: Value = serde_json::from_str(body).expect("a message");
        message[field] = json!(value);
        message.to_string()
    };
    for (field, value) in [("runId", "run:2"), ("accountId", "account:2"), ("sourceId", "source:2"), ("jobId", "job:2")]
    {
        assert!(!stage.deliver_run(&change(&run, field, value), 1).await, "{field}");
        assert!(!stage.deliver_file(&change(&file, field, value), 1).await, "{field}");
    }
    assert!(!stage.deliver_file(&change(&file, "path", "../b"), 1).await);
    assert!(serde_json::from_str::<FileMessage>(&run).is_err() && serde_json::from_str::<RunMessage>(&file).is_err());
    let other_version = file.replace("\"v\":1", "\"v\":2");
    assert!(serde_json::from_str::<FileMessage>(&other_version).is_err());
    assert!(stage.cloud.state().items.all(FILES.name).is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn the_scheduler_starts_due_jobs_and_repairs_runs() {
    let stage = Stage::of_bucket();
    stage.cloud.state().objects.put("src/a", b"x");
    let due = Job {
        schedule: Schedule { interval: Interval::Hourly, hour: None, minute: Some(5), day: None },
        next_run: Some("2026-01-01T00:00:00.000Z".to_owned()),
        ..stage.job()
    };
    stage.put(JOBS.name, &due);
    assert_eq!(stage.scheduler.run().await.expect("a summary").started, 1);
    assert_eq!(stage.scheduler.run().await.expect("a summary").started, 0);
    let run_id = stage.job().active_run_id.expect("a run");
    let aged = |change: fn(&mut Run)| {
        let mut run = stage.run_row(&run_id);
        change(&mut run);
        stage.put(RUNS.name, &run);
    };
    // The message was lost.
    aged(|run| run.updated_at = "2026-01-01T00:00:00.000Z".to_owned());
    aged(|run| {
        run.updated_at = crate::shared::time::text(jiff::Timestamp::now() - jiff::SignedDuration::from_mins(6));
    });
    assert_eq!(stage.scheduler.run().await.expect("a summary").resent, 1);
    assert_eq!(stage.messages(JOB_QUEUE).len(), 2);
    assert!(stage.deliver_run(&stage.messages(JOB_QUEUE)[1], 1).await);
    // No file arrives.
    aged(|run| run.updated_at = "2026-01-01T00:00:00.000Z".to_owned());
    assert_eq!(stage.scheduler.run().await.expect("a summary").ended, 1);
    let run = stage.run_row(&run_id);
    assert!(run.error.as_deref().is_some_and(|error| error.starts_with("stalled")));
    let job = stage.job();
    assert!(job.active_run_id.is_none() && job.next_run > due.next_run);
    // The late message of a failed run stores nothing.
    stage.deliver_all().await;
    assert!(stage.cloud.state().items.all(FILES.name).is_empty());
}
