//! Content of the site: posts, projects and certifications, which implement [`Content`]. A type is the stored `Data` of
//! its kind; its `Wire` is the form for clients.

pub(crate) mod certification;
pub(crate) mod filter;
pub(crate) mod post;
pub(crate) mod project;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use self::filter::Filter;
pub(crate) use self::{certification::Certification, post::Post, project::Project};
use crate::time;

/// The largest long text, in bytes. A DynamoDB item has at most 400 KB, including all attributes
/// (Amazon DynamoDB Developer Guide, "Quotas").
pub(crate) const MAX_TEXT: usize = 300 * 1024;

/// A kind of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum ContentKind {
    /// Posts.
    Blog,
    /// Projects.
    Project,
    /// Certifications and courses.
    Certification,
}

impl ContentKind {
    pub(crate) const ALL: [Self; 3] = [Self::Blog, Self::Project, Self::Certification];
    /// All names, for error messages.
    pub(crate) const NAMES: &'static str = "blog, project, certification";

    /// Returns the name for clients and in the keys of counters.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Blog => "blog",
            Self::Project => "project",
            Self::Certification => "certification",
        }
    }

    /// Returns the prefix of the items' keys.
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Blog => "BLOG",
            Self::Project => "PROJECT",
            Self::Certification => "CERT",
        }
    }

    /// Returns the `EntityType` of the items.
    pub(crate) const fn entity(self) -> &'static str {
        match self {
            Self::Blog => "BLOG",
            Self::Project => "PROJECT",
            Self::Certification => "CERTIFICATION",
        }
    }

    /// Returns the path of a page of the site.
    pub(crate) fn page(self, id: &str) -> String {
        match self {
            Self::Blog => format!("/blog/{id}"),
            Self::Project => format!("/projects/{id}"),
            Self::Certification => format!("/certifications/{id}"),
        }
    }
}

/// The visibility of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum Status {
    /// Visible to the owner only.
    Draft,
    /// Visible to everyone.
    Published,
}

impl Status {
    /// Returns the stored form.
    pub(crate) const fn stored(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::Published => "PUBLISHED",
        }
    }

    /// Parses the stored form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Draft, Self::Published].into_iter().find(|status| status.stored() == text)
    }
}

/// The requested statuses of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum Statuses {
    /// Published content.
    #[default]
    Published,
    /// Drafts, for the owner only.
    Draft,
    /// Both, for the owner only.
    All,
}

impl Statuses {
    /// Returns the statuses that a viewer may see of the requested ones.
    pub(crate) const fn visible_to(self, owner: bool) -> &'static [Status] {
        match self {
            Self::Draft if owner => &[Status::Draft],
            Self::All if owner => &[Status::Published, Status::Draft],
            _ => &[Status::Published],
        }
    }
}

/// The requested part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Paging {
    /// The most items to return.
    #[serde(default = "Paging::default_limit")]
    #[schemars(range(min = 1, max = 100))]
    pub(crate) limit: usize,
    /// The number of items to skip.
    #[serde(default)]
    pub(crate) offset: usize,
}

impl Paging {
    fn default_limit() -> usize {
        20
    }
}

/// A key of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Indexed {
    /// `GSI1PK`.
    pub(crate) partition: String,
    /// `GSI1SK`.
    pub(crate) sort: String,
}

/// The query of a list.
pub(crate) trait ListQuery: JsonSchema + DeserializeOwned + Send {
    fn statuses(&self) -> Statuses;
    fn paging(&self) -> Paging;
    /// Returns further conditions.
    fn filters(&self) -> Vec<Filter>;
}

/// A kind of content. `Self` is stored under `Data` and contains everything but the status.
pub(crate) trait Content: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    const KIND: ContentKind;
    /// The form for clients.
    type Wire: Serialize + JsonSchema + Send;
    /// A part of a list, for clients.
    type Page: Serialize + JsonSchema + Send;
    /// The fields for creating content. Any of them can be changed later.
    type Create: JsonSchema + DeserializeOwned + Send;
    /// The query of a list.
    type Query: ListQuery;

    fn create(id: String, now: Timestamp, create: Self::Create) -> Self;
    fn id(&self) -> &str;
    fn created_at(&self) -> &str;
    /// Updates what depends on changed fields, and the time of the change.
    fn changed(&mut self, fields: &Map<String, Value>, now: Timestamp);
    /// Updates what depends on the status: published at a time, or a draft again.
    fn published(&mut self, at: Option<Timestamp>, now: Timestamp);
    /// Returns the key in the index.
    fn indexed(&self, status: Status) -> Indexed;
    /// Returns the category that counts it.
    fn category(&self) -> Option<&str> {
        None
    }
    /// Returns the partitions of the index for a query.
    fn partitions(query: &Self::Query, statuses: &[Status]) -> Vec<String>;
    fn wire(self, status: Status) -> Self::Wire;
    fn page(items: Vec<Self::Wire>, total: usize, paging: Paging) -> Self::Page;
}

/// Content with its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored<C> {
    pub(crate) content: C,
    pub(crate) status: Status,
}

impl<C: Content> Stored<C> {
    /// Returns the content with changed fields, which must be valid for `C::Create`.
    pub(crate) fn with(&self, fields: &Map<String, Value>, now: Timestamp) -> Result<Self, serde_json::Error> {
        let mut data = serde_json::to_value(&self.content)?;
        if let Value::Object(data) = &mut data {
            data.extend(fields.clone());
        }
        let mut content: C = serde_json::from_value(data)?;
        content.changed(fields, now);
        Ok(Self { content, status: self.status })
    }

    /// Returns the content with another status.
    pub(crate) fn with_status(&self, status: Status, now: Timestamp) -> Self {
        let mut content = self.content.clone();
        content.published((status == Status::Published).then_some(now), now);
        Self { content, status }
    }

    pub(crate) fn wire(self) -> C::Wire {
        self.content.wire(self.status)
    }

    /// Returns the key in the index.
    pub(crate) fn indexed(&self) -> Indexed {
        self.content.indexed(self.status)
    }
}

/// Returns the partition of the index for a kind and a status.
fn partition(kind: ContentKind, status: Status) -> String {
    format!("{}#STATUS#{}", kind.prefix(), status.stored())
}

/// Returns a sort key of the index, such as `BLOG#2024-03-15T10:30:00.000Z`.
fn sorted_by(kind: ContentKind, time: &str) -> String {
    format!("{}#{time}", kind.prefix())
}

/// Returns the stored form of a time.
fn stamp(now: Timestamp) -> String {
    time::text(now)
}
