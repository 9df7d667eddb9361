//! Starts MiniStack behind its gate, in the background, and waits until it responds.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::Stdio,
    time::Duration,
};

use camino::Utf8Path;
use tokio::process::{Child, Command};

use super::{
    Keys, LINES_IN_ERRORS, LocalError, Running, Settings, error::io, health, instance::Instance, keys::ACCOUNT,
    last_log_lines, log_path,
};
use crate::{poll::Schedule, ui::Ui};

/// The longest start of MiniStack.
const PATIENCE: Duration = Duration::from_secs(30);
/// The usual port of AWS emulators.
pub(super) const USUAL_PORT: u16 = 4566;
/// The variable of the gate's port, which MiniStack also puts into the URLs that it returns.
pub(super) const PORT_VARIABLE: &str = "GATEWAY_PORT";
/// The user's environment variables that MiniStack and the functions inherit: no credentials, and no settings that would change the
/// emulator.
const INHERITED: [&str; 5] = ["PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TZ"];

/// Starts MiniStack with the Python that it is installed for.
pub(super) async fn start(settings: &Settings, python: &Utf8Path, ui: &Ui) -> Result<Running, LocalError> {
    let port = choose_port(settings.port)?;
    let step = ui.step("start the local cloud");
    let token = format!("xtask-{:016x}", token());
    let keys = Keys::generate()?;
    keys.write(&settings.directory)?;
    let mut child = spawn(settings, python, Start { port, token: &token, keys: &keys })?;
    // Only a child that was waited for has no ID.
    let pid = child.id().unwrap_or_default();
    let instance = Instance { pid, port, token, has_gate: true };
    let answered = match instance.write(settings) {
        Ok(()) => wait_until_healthy(settings, &mut child, port).await,
        Err(error) => Err(error),
    };
    if let Err(error) = answered {
        instance.stop().await?;
        Keys::remove(&settings.directory)?;
        Instance::remove(settings)?;
        return Err(error);
    }
    let running = instance.running(settings, true);
    step.done(&running.endpoint);
    Ok(running)
}

/// What differs for each start.
struct Start<'a> {
    port: u16,
    token: &'a str,
    keys: &'a Keys,
}

fn spawn(settings: &Settings, python: &Utf8Path, start: Start<'_>) -> Result<Child, LocalError> {
    let temporary = settings.directory.join("tmp");
    if temporary.exists() {
        fs_err::remove_dir_all(&temporary).map_err(io("remove the last local cloud's temporary files"))?;
    }
    fs_err::create_dir_all(&temporary).map_err(io("create the local cloud's temporary folder"))?;
    let log = fs_err::File::create(log_path(settings)).map_err(io("create the local cloud's log"))?;
    drop(log);
    let log = std::fs::OpenOptions::new().append(true).open(log_path(settings)).map_err(io("open the log"))?;
    let errors = log.try_clone().map_err(io("open the log"))?;
    Command::new(&settings.gate.program)
        .args(&settings.gate.arguments)
        .args([start.token, python.as_str()])
        .current_dir(&settings.directory)
        .env_clear()
        .envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .envs(environment(&start, &temporary))
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        // A process group: Ctrl-C does not reach it, and its functions can be stopped with it.
        .process_group(0)
        .spawn()
        .map_err(io("start the local cloud's gate"))
}

/// `MINISTACK_HOST` keeps its default, `localhost`: it is the end of host names such as `<API>.execute-api.localhost`, which an address
/// cannot be.
fn environment(start: &Start<'_>, temporary: &Utf8Path) -> [(&'static str, String); 13] {
    [
        (PORT_VARIABLE, start.port.to_string()),
        ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", start.port)),
        ("MINISTACK_ACCOUNT_ID", ACCOUNT.to_owned()),
        ("TMPDIR", temporary.to_string()),
        // Functions inherit them, so that the gate accepts their calls.
        ("AWS_ACCESS_KEY_ID", start.keys.access_key().to_owned()),
        ("AWS_SECRET_ACCESS_KEY", start.keys.secret().to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        // These servers would listen on every interface.
        ("SFTP_ENABLED", "0".to_owned()),
        ("IOT_MTLS_ENABLED", "0".to_owned()),
        ("PYTHONUNBUFFERED", "1".to_owned()),
        // For the gate alone: it logs what it refuses.
        ("RUST_LOG", "engine::local::gate=warn".to_owned()),
        ("NO_COLOR", "1".to_owned()),
        ("LAMBDA_EXECUTOR", "local".to_owned()),
    ]
}

async fn wait_until_healthy(settings: &Settings, child: &mut Child, port: u16) -> Result<(), LocalError> {
    const SCHEDULE: Schedule = Schedule::doubling(Duration::from_millis(50), Duration::from_secs(1)).within(PATIENCE);
    let lines = || last_log_lines(settings, LINES_IN_ERRORS).join("\n");
    tokio::select! {
        // Another program may answer on the port of a MiniStack that has ended.
        biased;
        status = child.wait() => {
            let status = status.map_err(io("watch MiniStack"))?;
            Err(LocalError::EndedEarly { status, log: log_path(settings), lines: lines() })
        }
        healthy = SCHEDULE.until(async || health::answers(port).await) => {
            if healthy {
                return Ok(());
            }
            Err(LocalError::NoResponse { seconds: PATIENCE.as_secs(), log: log_path(settings), lines: lines() })
        }
    }
}

/// Chooses the configured port, which must be free, or the usual one if it is free, or any free one.
fn choose_port(configured: Option<u16>) -> Result<u16, LocalError> {
    match configured {
        Some(port) if is_free(port) => Ok(port),
        Some(port) => Err(LocalError::PortTaken { port }),
        None if is_free(USUAL_PORT) => Ok(USUAL_PORT),
        None => TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .map(|address| address.port())
            .map_err(io("find a free port")),
    }
}

/// Connecting finds a program that listens on all interfaces: some systems allow a second one on one interface.
fn is_free(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A number that differs for each start: the standard library's hasher has a random seed.
fn token() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one((std::process::id(), std::time::SystemTime::now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_configured_port_that_is_taken_names_it() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let error = choose_port(Some(port)).expect_err("it is taken");
        assert!(error.to_string().contains(&port.to_string()), "{error}");
        drop(listener);
        assert_eq!(choose_port(Some(port)).ok(), Some(port));
    }
}
