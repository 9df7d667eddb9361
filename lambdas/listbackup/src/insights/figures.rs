//! The figures of an insight, and the text that rules write about them.

use serde::Serialize;

use crate::shared::rows::Run;

/// The most categories.
const CATEGORIES: usize = 3;
/// The growth, in percent, above which the text mentions it as strong.
const STRONG_GROWTH: f64 = 50.0;
/// The share of failed files, in percent, above which the text advises a check.
const MANY_ERRORS: f64 = 5.0;

/// What a run says about its source.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    /// The bytes of all files.
    pub(super) bytes: i64,
    /// The difference to the previous run, in bytes.
    pub(super) growth_bytes: i64,
    /// The same in percent; absent for the first run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) growth_percent: Option<f64>,
    /// The share of files that failed, in percent.
    pub(super) error_percent: f64,
    /// The categories with the most bytes.
    pub(super) largest: Vec<Category>,
}

/// A category of files.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Category {
    #[serde(rename = "type")]
    pub(super) name: String,
    pub(super) bytes: i64,
    /// The share of all bytes.
    pub(super) percent: f64,
}

impl Figures {
    /// Compares a run with the one before.
    pub(super) fn of(run: &Run, previous: Option<&Run>) -> Self {
        let bytes = run.bytes_processed;
        let growth_bytes = previous.map_or(run.stats.delta_bytes, |previous| bytes - previous.bytes_processed);
        let before = previous.map(|previous| previous.bytes_processed).filter(|before| *before > 0);
        let mut categories: Vec<_> = run.by_type.iter().filter(|(_, bytes)| **bytes > 0).collect();
        categories.sort_by(|(a, first), (b, second)| second.cmp(first).then_with(|| a.cmp(b)));
        let category = |(name, part): (&String, &i64)| Category {
            name: name.clone(),
            bytes: *part,
            percent: percent(*part, bytes),
        };
        Self {
            bytes,
            growth_bytes,
            growth_percent: before.map(|before| percent(growth_bytes, before)),
            error_percent: percent(run.stats.files_error, run.files_processed + run.stats.files_error),
            largest: categories.into_iter().take(CATEGORIES).map(category).collect(),
        }
    }
}

/// Returns a share in percent with one digit after the point.
#[expect(clippy::cast_precision_loss, reason = "percentages need no more precision")]
fn percent(part: i64, whole: i64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 * 1000.0 / whole as f64).round() / 10.0 }
}

/// Writes about the figures.
pub(super) fn text(figures: &Figures) -> String {
    let mut sentences = Vec::new();
    sentences.push(match figures.growth_percent {
        None => format!("The first backup contains {}.", size(figures.bytes)),
        Some(_) if figures.growth_bytes == 0 => "The amount of data did not change.".to_owned(),
        Some(percent) if percent >= STRONG_GROWTH => {
            format!("The data grew strongly, by {percent} % ({}).", size(figures.growth_bytes))
        }
        Some(percent) if percent > 0.0 => format!("The data grew by {percent} % ({}).", size(figures.growth_bytes)),
        Some(percent) => format!("The data shrank by {} % ({}).", -percent, size(-figures.growth_bytes)),
    });
    if let Some(largest) = figures.largest.first() {
        sentences.push(format!("Most of it is of type {} ({} %).", largest.name, largest.percent));
    }
    if figures.error_percent > MANY_ERRORS {
        sentences.push(format!("{} % of the files failed: check the source.", figures.error_percent));
    } else if figures.error_percent > 0.0 {
        sentences.push(format!("{} % of the files failed.", figures.error_percent));
    }
    sentences.join(" ")
}

#[expect(clippy::cast_precision_loss, reason = "a size for people needs no more precision")]
fn size(bytes: i64) -> String {
    let units = [("GB", 1e9), ("MB", 1e6), ("KB", 1e3)];
    let unit = units.into_iter().find(|(_, size)| bytes as f64 >= *size);
    unit.map_or_else(|| format!("{bytes} bytes"), |(name, size)| format!("{:.1} {name}", bytes as f64 / size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::tests::run;

    fn figures(bytes: i64, before: Option<i64>, errors: i64) -> Figures {
        let mut this = run("b");
        (this.bytes_processed, this.files_processed, this.stats.files_error) = (bytes, 9, errors);
        this.by_type = [("image", bytes), ("code", 0)].map(|(name, bytes)| (name.to_owned(), bytes)).into();
        let previous = before.map(|before| crate::shared::rows::Run { bytes_processed: before, ..run("a") });
        Figures::of(&this, previous.as_ref())
    }

    #[test]
    fn rules_write_about_growth_categories_and_errors() {
        for (bytes, before, errors, expected) in [
            (2_500_000, None, 0, "The first backup contains 2.5 MB. Most of it is of type image (100 %)."),
            (1000, Some(1000), 0, "The amount of data did not change. Most of it is of type image (100 %)."),
            (1100, Some(1000), 0, "The data grew by 10 % (100 bytes). Most of it is of type image (100 %)."),
            (3000, Some(1000), 0, "The data grew strongly, by 200 % (2.0 KB). Most of it is of type image (100 %)."),
            (
                500,
                Some(1000),
                1,
                "The data shrank by 50 % (500 bytes). Most of it is of type image (100 %). 10 % of the files \
                                  failed: check the source.",
            ),
            (0, Some(0), 0, "The first backup contains 0 bytes."),
        ] {
            assert_eq!(text(&figures(bytes, before, errors)), expected);
        }
    }

    #[test]
    fn empty_categories_are_left_out() {
        let figures = figures(10, None, 0);
        assert_eq!(figures.largest, [Category { name: "image".to_owned(), bytes: 10, percent: 100.0 }]);
        assert_eq!(figures.error_percent.to_bits(), 0.0_f64.to_bits());
    }
}
