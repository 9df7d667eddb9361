//! Reports to Lambda why a function cannot start, so that the response to its probe contains the reason.
//!
//! Without the report, a caller only sees that the process has ended: the reason is in the log alone.

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use serde_json::json;

/// The environment variable with the host and port of Lambda's runtime API (Lambda developer guide, "Using the Lambda runtime API for
/// custom runtimes").
pub(crate) const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// The type of the error in Lambda's response.
const ERROR_TYPE: &str = "Runtime.StartFailed";
/// The longest wait for the runtime API, which is on the same machine.
const PATIENCE: Duration = Duration::from_secs(2);

/// Posts an initialization error to the runtime API at `address`, and waits for its response (the same page, "Initialization error").
///
/// # Errors
///
/// When the runtime API does not respond.
pub(crate) fn report(address: &str, message: &str) -> io::Result<()> {
    let body = json!({ "errorMessage": message, "errorType": ERROR_TYPE, "stackTrace": [] }).to_string();
    let socket = address.to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let mut connection = TcpStream::connect_timeout(&socket, PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    let length = body.len();
    let request = format!(
        "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Lambda-Runtime-Function-Error-Type: {ERROR_TYPE}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    connection.write_all(request.as_bytes())?;
    // The status line has begun.
    connection.read_exact(&mut [0; 12])
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_runtime_api_receives_the_reason_as_an_initialization_error() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("its address").to_string();
        let server = std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().expect("a connection");
            let mut request = String::new();
            while !request.contains("\r\n\r\n") || !request.ends_with('}') {
                let mut bytes = [0; 1024];
                let length = connection.read(&mut bytes).expect("a request");
                request.push_str(std::str::from_utf8(&bytes[..length]).expect("text"));
            }
            connection.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").expect("written");
            request
        });
        let reason = "failed to read the environment of notes-list: missing field `NOTES_BUCKET`";
        report(&address, reason).expect("reported");
        let request = server.join().expect("a request");
        let (head, body) = request.split_once("\r\n\r\n").expect("a body");
        assert!(head.starts_with("POST /2018-06-01/runtime/init/error HTTP/1.1\r\n"), "{head}");
        let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert_eq!((&body["errorMessage"], &body["errorType"]), (&json!(reason), &json!(ERROR_TYPE)));
    }

    #[test]
    fn a_missing_runtime_api_is_an_error() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("its address").to_string();
        drop(listener);
        assert!(report(&address, "reason").is_err());
    }
}
