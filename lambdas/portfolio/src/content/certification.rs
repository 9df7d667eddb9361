//! Certifications and courses.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Content, ContentKind, Indexed, ListQuery, MAX_TEXT, Paging, Status, Statuses, filter::Filter, partition, sorted_by,
    stamp,
};

/// Certification or course.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum CertificationType {
    /// Earned by an examination.
    Certification,
    /// Attended.
    Course,
}

impl CertificationType {
    const ALL: [Self; 2] = [Self::Certification, Self::Course];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Certification => "certification",
            Self::Course => "course",
        }
    }
}

/// A certification or a course as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Certification {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) issuer: String,
    pub(crate) icon: String,
    pub(crate) r#type: CertificationType,
    pub(crate) featured: bool,
    pub(crate) description: String,
    pub(crate) credential_url: Option<String>,
    pub(crate) date_earned: String,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

/// A certification or a course.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Certification")]
pub(crate) struct CertificationWire {
    /// The ID.
    pub(crate) id: String,
    /// The name.
    pub(crate) name: String,
    /// The issuer.
    pub(crate) issuer: String,
    /// An emoji or the name of an icon.
    pub(crate) icon: String,
    /// Certification or course.
    pub(crate) r#type: CertificationType,
    /// Whether it is shown first.
    pub(crate) featured: bool,
    /// A description.
    pub(crate) description: String,
    /// The URL for verification.
    #[schemars(extend("format" = "uri"))]
    pub(crate) credential_url: Option<String>,
    /// The day it was earned.
    #[schemars(extend("format" = "date"))]
    pub(crate) date_earned: String,
    /// The visibility.
    pub(crate) status: Status,
    /// When it was created.
    #[schemars(extend("format" = "date-time"))]
    pub(crate) created_at: String,
    /// When it was last changed.
    #[schemars(extend("format" = "date-time"))]
    pub(crate) updated_at: String,
}

/// A new certification or course.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CertificationCreate {
    /// The name.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) name: String,
    /// The issuer.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) issuer: String,
    /// An emoji or the name of an icon.
    #[schemars(length(min = 1, max = 10))]
    pub(crate) icon: String,
    /// Certification or course.
    pub(crate) r#type: CertificationType,
    /// Whether it is shown first.
    #[serde(default)]
    pub(crate) featured: bool,
    /// A description.
    #[schemars(length(min = 1), extend("x-maxBytes" = MAX_TEXT))]
    pub(crate) description: String,
    /// The URL for verification.
    #[serde(default)]
    #[schemars(length(max = 2048), extend("format" = "uri"))]
    pub(crate) credential_url: Option<String>,
    /// The day it was earned.
    #[schemars(extend("format" = "date"))]
    pub(crate) date_earned: String,
}

/// A part of the certifications and courses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct CertificationPage {
    /// The certifications and courses, most recently earned first.
    pub(crate) certifications: Vec<CertificationWire>,
    /// The number of all certifications and courses; of a list of more than 16 MB, only of its first part.
    pub(crate) total: usize,
    /// The requested limit.
    pub(crate) limit: usize,
    /// The number of skipped items.
    pub(crate) offset: usize,
}

/// A selection of certifications and courses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) struct CertificationQuery {
    /// The status; only the owner gets drafts.
    #[serde(default)]
    pub(crate) status: Statuses,
    /// Only certifications, or only courses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "CertificationType")]
    pub(crate) r#type: Option<CertificationType>,
    /// Only those shown first, or only the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub(crate) featured: Option<bool>,
    /// The part of the list.
    #[serde(flatten)]
    pub(crate) paging: Paging,
}

impl ListQuery for CertificationQuery {
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

impl Content for Certification {
    const KIND: ContentKind = ContentKind::Certification;
    type Wire = CertificationWire;
    type Page = CertificationPage;
    type Create = CertificationCreate;
    type Query = CertificationQuery;

    fn create(id: String, now: Timestamp, create: CertificationCreate) -> Self {
        Self {
            id,
            name: create.name,
            issuer: create.issuer,
            icon: create.icon,
            r#type: create.r#type,
            featured: create.featured,
            description: create.description,
            credential_url: create.credential_url,
            date_earned: create.date_earned,
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
        Indexed { partition: of_type(status, self.r#type), sort: sorted_by(Self::KIND, &self.date_earned) }
    }

    fn partitions(query: &CertificationQuery, statuses: &[Status]) -> Vec<String> {
        let types = query.r#type.map_or(CertificationType::ALL.to_vec(), |one| vec![one]);
        let of_status = |status| types.iter().map(move |kind| of_type(status, *kind));
        statuses.iter().flat_map(|status| of_status(*status)).collect()
    }

    fn wire(self, status: Status) -> CertificationWire {
        CertificationWire {
            id: self.id,
            name: self.name,
            issuer: self.issuer,
            icon: self.icon,
            r#type: self.r#type,
            featured: self.featured,
            description: self.description,
            credential_url: self.credential_url,
            date_earned: self.date_earned,
            status,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    fn page(
        certifications: Vec<CertificationWire>,
        total: usize,
        Paging { limit, offset }: Paging,
    ) -> CertificationPage {
        CertificationPage { certifications, total, limit, offset }
    }
}

/// Returns the partition of a status and a type.
fn of_type(status: Status, kind: CertificationType) -> String {
    format!("{}#{}", partition(ContentKind::Certification, status), kind.as_str())
}
