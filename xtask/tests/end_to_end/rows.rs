//! Acceptance lists: rows that run one after another against one world.

/// Runs rows on a runtime, each with the world, and adds the names of those that failed to `failures`. A failed row does not stop the
/// others.
macro_rules! run_rows {
    ($runtime:ident, $world:ident, $failures:ident: [$($row:path),* $(,)?]) => {$(
        let (name, started) = (stringify!($row), std::time::Instant::now());
        let ran = $runtime.block_on($runtime.spawn($row(std::sync::Arc::clone(&$world))));
        eprintln!("{name}: {} ({:.1?})", if ran.is_ok() { "passed" } else { "FAILED" }, started.elapsed());
        if ran.is_err() {
            $failures.push(name);
        }
    )*};
}

pub(crate) use run_rows;
