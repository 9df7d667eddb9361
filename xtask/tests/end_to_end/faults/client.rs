//! A client that calls the API, and the live version of every function behind it, all the time.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use reqwest::{Method, StatusCode};

use super::SYSTEM;
use crate::{client::Client as Api, cloud::Cloud};

/// The client on its way; what it could not do.
pub(super) struct Client {
    stop: Arc<AtomicBool>,
    complaints: Arc<Mutex<Vec<String>>>,
    thread: Option<std::thread::JoinHandle<usize>>,
}

impl Client {
    /// Signs in and begins to call.
    pub(super) fn start(cloud: &Cloud) -> Self {
        let (stop, complaints) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (lambda, stopped, told) = (cloud.lambda(), Arc::clone(&stop), Arc::clone(&complaints));
        let status = cloud.json(&["status", "--stage", "local", "--format", "json"]);
        let url = status["urls"]["MediaApi"].as_str().expect("the API's URL").to_owned();
        let token = cloud.json(&["local", "sign-in", "--system", "media-uploader", "--format", "json"])["idToken"]
            .as_str()
            .map(str::to_owned);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(call_until(&Api::new(&url, token), &lambda, &stopped, &told))
        });
        Self { stop, complaints, thread: Some(thread) }
    }

    /// How often it called, and what it complains of.
    pub(super) fn stop(mut self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::SeqCst);
        let calls = self.thread.take().map_or(0, |thread| thread.join().expect("the client ends"));
        (calls, self.complaints.lock().expect("complaints").clone())
    }
}

async fn call_until(api: &Api, lambda: &aws_sdk_lambda::Client, stop: &AtomicBool, told: &Mutex<Vec<String>>) -> usize {
    let mut calls = 0;
    while !stop.load(Ordering::SeqCst) {
        for function in ["upload", "retrieve"] {
            let complaint = invoke(lambda, function).await;
            told.lock().expect("complaints").extend(complaint);
        }
        // What nobody uploaded: only the function behind the API and its authorizer can say so.
        let complaint = get(api, "/media/00000000-0000-4000-8000-000000000000", StatusCode::NOT_FOUND).await;
        told.lock().expect("complaints").extend(complaint);
        calls += 3;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    calls
}

async fn invoke(lambda: &aws_sdk_lambda::Client, function: &str) -> Option<String> {
    let name = format!("{SYSTEM}-{function}-local");
    let payload = aws_sdk_lambda::primitives::Blob::new(r#"{"probe":"ready"}"#);
    match lambda.invoke().function_name(&name).qualifier("live").payload(payload).send().await {
        Ok(answer) => answer.function_error().map(|error| format!("{name} fails: {error}")),
        Err(error) => Some(format!("{name} cannot be invoked: {error:?}")),
    }
}

async fn get(api: &Api, path: &str, wanted: StatusCode) -> Option<String> {
    match api.try_send(Method::GET, path).await {
        Ok(answer) if answer.status() == wanted => None,
        Ok(answer) => {
            let (status, body) = (answer.status(), answer.text().await.unwrap_or_default());
            Some(format!("GET {path} answers {status}: {body}"))
        }
        Err(error) => Some(format!("GET {path} has no answer: {error}")),
    }
}
