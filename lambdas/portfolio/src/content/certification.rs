//! Certifications and courses.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Content, Indexed, Kind, ListQuery, MAX_TEXT, Paging, Status, Statuses, filter::Filter, partition, sorted_by, stamp,
};

/// Which of the two it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum CertificationType {
    /// Passed an examination.
    Certification,
    /// Taken part in.
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
#[expect(missing_docs, reason = "see CertificationWire")]
pub struct Certification {
    pub id: String,
    pub name: String,
    pub issuer: String,
    pub icon: String,
    pub r#type: CertificationType,
    pub featured: bool,
    pub description: String,
    pub credential_url: Option<String>,
    pub date_earned: String,
    pub created_at: String,
    pub updated_at: String,
}

/// A certification or a course.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Certification")]
pub struct CertificationWire {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Who issued it.
    pub issuer: String,
    /// An emoji, or an icon's name.
    pub icon: String,
    /// Which of the two it is.
    pub r#type: CertificationType,
    /// Is it shown first?
    pub featured: bool,
    /// What it is about.
    pub description: String,
    /// Where it can be verified.
    #[schemars(extend("format" = "uri"))]
    pub credential_url: Option<String>,
    /// The day it was earned.
    #[schemars(extend("format" = "date"))]
    pub date_earned: String,
    /// Is it shown to everybody?
    pub status: Status,
    /// When it was created.
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    /// When it was last changed.
    #[schemars(extend("format" = "date-time"))]
    pub updated_at: String,
}

/// A new certification or course.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificationCreate {
    /// Its name.
    #[schemars(length(min = 1, max = 200))]
    pub name: String,
    /// Who issued it.
    #[schemars(length(min = 1, max = 200))]
    pub issuer: String,
    /// An emoji, or an icon's name.
    #[schemars(length(min = 1, max = 10))]
    pub icon: String,
    /// Which of the two it is.
    pub r#type: CertificationType,
    /// Is it shown first?
    #[serde(default)]
    pub featured: bool,
    /// What it is about.
    #[schemars(length(min = 1), extend("x-maxBytes" = MAX_TEXT))]
    pub description: String,
    /// Where it can be verified.
    #[serde(default)]
    #[schemars(length(max = 2048), extend("format" = "uri"))]
    pub credential_url: Option<String>,
    /// The day it was earned.
    #[schemars(extend("format" = "date"))]
    pub date_earned: String,
}

/// Some of the certifications and courses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CertificationPage {
    /// The certifications and courses, those earned last first.
    pub certifications: Vec<CertificationWire>,
    /// How many there are altogether.
    pub total: usize,
    /// The most that were asked for.
    pub limit: usize,
    /// How many were skipped.
    pub offset: usize,
}

/// Which certifications and courses are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct CertificationQuery {
    /// By status; only the owner gets drafts.
    #[serde(default)]
    pub status: Statuses,
    /// Only certifications, or only courses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "CertificationType")]
    pub r#type: Option<CertificationType>,
    /// Those shown first, or the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub featured: Option<bool>,
    /// Which part of them.
    #[serde(flatten)]
    pub paging: Paging,
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
    const KIND: Kind = Kind::Certification;
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

/// Both statuses of both types have a partition of their own.
fn of_type(status: Status, kind: CertificationType) -> String {
    format!("{}#{}", partition(Kind::Certification, status), kind.as_str())
}
