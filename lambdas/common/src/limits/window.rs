//! The minute in which requests are counted.

/// The length of a window, in seconds.
const LENGTH: i64 = 60;

/// A minute: counters start again with each. A client can therefore send twice its limit around the end of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// In seconds since 1970.
    pub(super) start: i64,
}

impl Window {
    /// The window of a time in seconds since 1970.
    pub(super) const fn at(now: i64) -> Self {
        Self { start: now - now.rem_euclid(LENGTH) }
    }

    pub(super) const fn end(self) -> i64 {
        self.start + LENGTH
    }

    /// When its counter can be deleted: clocks of instances differ.
    pub(super) const fn expires(self) -> i64 {
        self.end() + LENGTH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_minutes() {
        for (now, start) in [(0, 0), (59, 0), (60, 60), (119, 60), (-1, -60)] {
            assert_eq!(Window::at(now), Window { start }, "{now}");
        }
        let window = Window::at(61);
        assert_eq!((window.end(), window.expires()), (120, 180));
    }
}
