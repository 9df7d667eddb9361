//! Reads MiniStack's log, which also has the functions' lines.

use std::{
    io::{Read, Seek, SeekFrom},
    time::Duration,
};

use camino::Utf8PathBuf;

use super::{LocalError, Settings, error::io};
use crate::ui::Ui;

/// The number of bytes that are searched for the last lines.
const TAIL: u64 = 1 << 20;
/// The pause between two reads of a log that is followed.
const PAUSE: Duration = Duration::from_millis(250);

/// The log's path; the file need not exist.
pub fn log_path(settings: &Settings) -> Utf8PathBuf {
    settings.directory.join("ministack.log")
}

/// The log's last `count` lines; none without a log.
pub fn last_log_lines(settings: &Settings, count: usize) -> Vec<String> {
    let Ok((text, _)) = read_from(settings, None) else { return Vec::new() };
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(count)).map(|line| (*line).to_owned()).collect()
}

/// Prints the log's last `lines` lines and, with `follow`, new lines until Ctrl-C. A missing log is not an error.
///
/// # Errors
///
/// When the log cannot be read.
pub async fn logs(settings: &Settings, follow: bool, lines: usize, ui: &Ui) -> Result<(), LocalError> {
    let mut position = end(settings);
    let last = last_log_lines(settings, lines);
    if last.is_empty() {
        ui.say(format_args!("{} has no lines yet", log_path(settings)));
    }
    for line in last {
        ui.result(line);
    }
    if !follow {
        return Ok(());
    }
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    let mut unfinished = String::new();
    loop {
        tokio::select! {
            _ = &mut interrupted => return Ok(()),
            () = tokio::time::sleep(PAUSE) => {}
        }
        let length = end(settings);
        if length < position {
            // MiniStack was started again.
            position = 0;
            unfinished.clear();
        }
        if length > position {
            let (added, read_to) = read_from(settings, Some(position)).map_err(io("read the local cloud's log"))?;
            position = read_to;
            unfinished.push_str(&added);
            print_whole_lines(&mut unfinished, ui);
        }
    }
}

/// Prints the complete lines and keeps the rest.
fn print_whole_lines(text: &mut String, ui: &Ui) {
    let Some(end) = text.rfind('\n') else { return };
    let rest = text.split_off(end + 1);
    for line in text.lines() {
        ui.result(line);
    }
    *text = rest;
}

fn end(settings: &Settings) -> u64 {
    std::fs::metadata(log_path(settings)).map_or(0, |metadata| metadata.len())
}

/// Reads the log from `position`, or its last megabyte; returns the text and the position of its end.
fn read_from(settings: &Settings, position: Option<u64>) -> std::io::Result<(String, u64)> {
    let mut file = std::fs::File::open(log_path(settings))?;
    let position = match position {
        Some(position) => position,
        None => file.metadata()?.len().saturating_sub(TAIL),
    };
    file.seek(SeekFrom::Start(position))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let read_to = position.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    Ok((String::from_utf8_lossy(&bytes).into_owned(), read_to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::GateProgram;

    #[test]
    fn the_last_lines_are_in_order() {
        let directory = tempfile::tempdir().expect("a temporary folder");
        let path = Utf8PathBuf::from_path_buf(directory.path().to_path_buf()).expect("UTF-8");
        let settings = Settings { target: path.clone(), directory: path, port: None, gate: GateProgram::default() };
        assert!(last_log_lines(&settings, 3).is_empty());
        std::fs::write(log_path(&settings), "one\ntwo\nthree\nfour\n").expect("written");
        assert_eq!(last_log_lines(&settings, 2), ["three", "four"]);
        assert_eq!(last_log_lines(&settings, 9).len(), 4);
    }
}
