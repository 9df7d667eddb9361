//! Projects.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Content, Indexed, Kind, ListQuery, MAX_TEXT, Paging, Status, Statuses, filter::Filter, partition, sorted_by, stamp,
};

/// A project as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "see ProjectWire")]
pub struct Project {
    pub id: String,
    pub name: String,
    pub description: String,
    pub long_description: String,
    pub tech: Vec<String>,
    pub company: String,
    pub featured: bool,
    pub github_url: Option<String>,
    pub live_url: Option<String>,
    pub image_url: Option<String>,
    pub created_at: String,
    pub updated_at: String,
}

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Project")]
pub struct ProjectWire {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// A short description.
    pub description: String,
    /// A long description, in Markdown.
    pub long_description: String,
    /// The technologies it uses.
    pub tech: Vec<String>,
    /// Whom it was made for.
    pub company: String,
    /// Is it shown first?
    pub featured: bool,
    /// Its source.
    #[schemars(extend("format" = "uri"))]
    pub github_url: Option<String>,
    /// Where it runs.
    #[schemars(extend("format" = "uri"))]
    pub live_url: Option<String>,
    /// Its picture.
    #[schemars(extend("format" = "uri"))]
    pub image_url: Option<String>,
    /// Is it shown to everybody?
    pub status: Status,
    /// When it was created.
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    /// When it was last changed.
    #[schemars(extend("format" = "date-time"))]
    pub updated_at: String,
}

/// A new project.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectCreate {
    /// Its name.
    #[schemars(length(min = 1, max = 200))]
    pub name: String,
    /// A short description.
    #[schemars(length(min = 1, max = 500))]
    pub description: String,
    /// A long description, in Markdown.
    #[schemars(length(min = 1), extend("x-maxBytes" = MAX_TEXT))]
    pub long_description: String,
    /// The technologies it uses.
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 100)))]
    pub tech: Vec<String>,
    /// Whom it was made for.
    #[schemars(length(min = 1, max = 200))]
    pub company: String,
    /// Is it shown first?
    #[serde(default)]
    pub featured: bool,
    /// Its source.
    #[serde(default)]
    #[schemars(length(max = 2048), extend("format" = "uri"))]
    pub github_url: Option<String>,
    /// Where it runs.
    #[serde(default)]
    #[schemars(length(max = 2048), extend("format" = "uri"))]
    pub live_url: Option<String>,
    /// Its picture.
    #[serde(default)]
    #[schemars(length(max = 2048), extend("format" = "uri"))]
    pub image_url: Option<String>,
}

/// Some of the projects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ProjectPage {
    /// The projects, newest first.
    pub projects: Vec<ProjectWire>,
    /// How many there are altogether.
    pub total: usize,
    /// The most that were asked for.
    pub limit: usize,
    /// How many were skipped.
    pub offset: usize,
}

/// Which projects are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct ProjectQuery {
    /// By status; only the owner gets drafts.
    #[serde(default)]
    pub status: Statuses,
    /// Those shown first, or the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub featured: Option<bool>,
    /// Which part of them.
    #[serde(flatten)]
    pub paging: Paging,
}

impl ListQuery for ProjectQuery {
    fn statuses(&self) -> Statuses {
        self.status
    }

    fn paging(&self) -> Paging {
        self.paging
    }

    fn filters(&self) -> Vec<Filter> {
        self.featured.map(|featured| Filter::equal("featured", featured)).into_iter().collect()
    }
}

impl Content for Project {
    const KIND: Kind = Kind::Project;
    type Wire = ProjectWire;
    type Page = ProjectPage;
    type Create = ProjectCreate;
    type Query = ProjectQuery;

    fn create(id: String, now: Timestamp, create: ProjectCreate) -> Self {
        Self {
            id,
            name: create.name,
            description: create.description,
            long_description: create.long_description,
            tech: create.tech,
            company: create.company,
            featured: create.featured,
            github_url: create.github_url,
            live_url: create.live_url,
            image_url: create.image_url,
            created_at: stamp(now),
            updated_at: stamp(now),
        }
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn created_at(&self) -> &str {
        &self.created_at
    }

    fn changed(&mut self, _: &Map<String, Value>, now: Timestamp) {
        self.updated_at = stamp(now);
    }

    fn published(&mut self, _: Option<Timestamp>, now: Timestamp) {
        self.updated_at = stamp(now);
    }

    fn indexed(&self, status: Status) -> Indexed {
        Indexed { partition: partition(Self::KIND, status), sort: sorted_by(Self::KIND, &self.created_at) }
    }

    fn partitions(_: &ProjectQuery, statuses: &[Status]) -> Vec<String> {
        statuses.iter().map(|status| partition(Self::KIND, *status)).collect()
    }

    fn wire(self, status: Status) -> ProjectWire {
        ProjectWire {
            id: self.id,
            name: self.name,
            description: self.description,
            long_description: self.long_description,
            tech: self.tech,
            company: self.company,
            featured: self.featured,
            github_url: self.github_url,
            live_url: self.live_url,
            image_url: self.image_url,
            status,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    fn page(projects: Vec<ProjectWire>, total: usize, Paging { limit, offset }: Paging) -> ProjectPage {
        ProjectPage { projects, total, limit, offset }
    }
}
