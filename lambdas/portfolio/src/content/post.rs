//! Posts of the blog.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Content, Indexed, Kind, ListQuery, MAX_TEXT, Paging, Status, Statuses, filter::Filter, partition, sorted_by, stamp,
};
use crate::slug::{reading_minutes, slug};

/// A post as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "see BlogPost")]
pub struct Post {
    pub id: String,
    pub slug: String,
    pub title: String,
    pub excerpt: String,
    pub content: String,
    pub category: String,
    /// In minutes.
    pub read_time: usize,
    /// The full time; none while it is a draft.
    pub published_at: Option<String>,
    pub tags: Vec<String>,
    pub created_at: String,
    pub updated_at: String,
}

/// A post of the blog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlogPost {
    /// Its id.
    pub id: String,
    /// Its title as part of a URL.
    pub slug: String,
    /// Its title.
    pub title: String,
    /// A short summary.
    pub excerpt: String,
    /// The whole text, in Markdown.
    pub content: String,
    /// Its category.
    pub category: String,
    /// How long it takes to read: `5 min read`.
    pub read_time: String,
    /// The day it was published, or an empty text.
    pub published_at: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Is it shown to everybody?
    pub status: Status,
    /// When it was created.
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    /// When it was last changed.
    #[schemars(extend("format" = "date-time"))]
    pub updated_at: String,
}

/// A new post.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlogPostCreate {
    /// Its title.
    #[schemars(length(min = 1, max = 200))]
    pub title: String,
    /// A short summary.
    #[schemars(length(min = 1, max = 500))]
    pub excerpt: String,
    /// The whole text, in Markdown.
    #[schemars(length(min = 1), extend("x-maxBytes" = MAX_TEXT))]
    pub content: String,
    /// Its category.
    #[schemars(length(min = 1, max = 100))]
    pub category: String,
    /// Its tags.
    #[schemars(length(min = 1, max = 20), inner(length(min = 1, max = 50)))]
    pub tags: Vec<String>,
    /// Its title as part of a URL, where that is not to follow from the title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 200), regex(pattern = r"^[a-z0-9-]+$"))]
    pub slug: Option<String>,
}

/// Some of the posts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BlogPostPage {
    /// The posts, newest first.
    pub posts: Vec<BlogPost>,
    /// How many there are altogether.
    pub total: usize,
    /// The most that were asked for.
    pub limit: usize,
    /// How many were skipped.
    pub offset: usize,
}

/// Which posts are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct PostQuery {
    /// By status; only the owner gets drafts.
    #[serde(default)]
    pub status: Statuses,
    /// By category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub category: Option<String>,
    /// By one of their tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub tag: Option<String>,
    /// Which part of them.
    #[serde(flatten)]
    pub paging: Paging,
}

impl ListQuery for PostQuery {
    fn statuses(&self) -> Statuses {
        self.status
    }

    fn paging(&self) -> Paging {
        self.paging
    }

    fn filters(&self) -> Vec<Filter> {
        let category = self.category.as_deref().map(|category| Filter::equal("category", category));
        let tag = self.tag.as_deref().map(|tag| Filter::contains("tags", tag));
        category.into_iter().chain(tag).collect()
    }
}

impl Content for Post {
    const KIND: Kind = Kind::Blog;
    type Wire = BlogPost;
    type Page = BlogPostPage;
    type Create = BlogPostCreate;
    type Query = PostQuery;

    fn create(id: String, now: Timestamp, create: BlogPostCreate) -> Self {
        let derived = Some(slug(&create.title)).filter(|slug| !slug.is_empty());
        Self {
            // A title without letters or digits makes no slug; the id is unique, and made of them.
            slug: create.slug.or(derived).unwrap_or_else(|| id.clone()),
            read_time: reading_minutes(&create.content),
            title: create.title,
            excerpt: create.excerpt,
            content: create.content,
            category: create.category,
            tags: create.tags,
            published_at: None,
            created_at: stamp(now),
            updated_at: stamp(now),
            id,
        }
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn created_at(&self) -> &str {
        &self.created_at
    }

    fn changed(&mut self, _: &Map<String, Value>, now: Timestamp) {
        self.read_time = reading_minutes(&self.content);
        self.updated_at = stamp(now);
    }

    fn published(&mut self, at: Option<Timestamp>, now: Timestamp) {
        self.published_at = at.map(stamp);
        self.updated_at = stamp(now);
    }

    fn indexed(&self, status: Status) -> Indexed {
        let time = self.published_at.as_deref().unwrap_or(&self.created_at);
        Indexed { partition: partition(Self::KIND, status), sort: sorted_by(Self::KIND, time) }
    }

    fn category(&self) -> Option<&str> {
        Some(&self.category)
    }

    fn partitions(_: &PostQuery, statuses: &[Status]) -> Vec<String> {
        statuses.iter().map(|status| partition(Self::KIND, *status)).collect()
    }

    fn wire(self, status: Status) -> BlogPost {
        BlogPost {
            id: self.id,
            slug: self.slug,
            title: self.title,
            excerpt: self.excerpt,
            content: self.content,
            category: self.category,
            read_time: format!("{} min read", self.read_time),
            published_at: self.published_at.and_then(|time| time.get(..10).map(str::to_owned)).unwrap_or_default(),
            tags: self.tags,
            status,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    fn page(posts: Vec<BlogPost>, total: usize, Paging { limit, offset }: Paging) -> BlogPostPage {
        BlogPostPage { posts, total, limit, offset }
    }
}
