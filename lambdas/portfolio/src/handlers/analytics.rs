//! Views of content.

use axum::{Json, extract::State, http::HeaderMap, response::Response};
use common::{ApiError, SourceAddress};
use futures_util::future::{try_join, try_join_all};

use super::{contents::not_found, visitors::last_days, with_session_cookie};
use crate::{
    answers::{
        Activity, ContentViewStat, ContentViews, KindViews, Overview, OverviewDays, PageViews, PagesOf, PostStats, Top,
        TopContent, TotalViews, TrackView, TrackedView,
    },
    app::{App, Shared},
    content::{ContentKind, Post},
    input::{Body, InPath, Query},
    session::Session,
    store::{StoreError, views::Viewed},
    time,
};

/// The number of pages in an overview.
const TOP_PAGES: usize = 10;

/// Counts a view of published content, once per session and 24 hours.
pub(crate) async fn track(
    State(app): Shared,
    SourceAddress(address): SourceAddress,
    headers: HeaderMap,
    Body(body): Body<TrackView>,
) -> Result<Response, ApiError> {
    let now = app.now();
    let session = Session::of(&app, body.session_id, &headers, &address, now).await?;
    if !app.table().is_published(body.content_type, &body.content_id).await? {
        return Err(not_found());
    }
    let tracked = app.table().track_view(&session.id, body.content_type, &body.content_id, now).await?;
    let tracked = tracked.ok_or_else(not_found)?;
    let session_id = session.id.clone();
    let answer = TrackedView { views: tracked.count, tracked: tracked.tracked, session_id };
    Ok(with_session_cookie(&session, Json(answer)))
}

/// Views of one piece of published content.
pub(crate) async fn of_content(State(app): Shared, path: InPath) -> Result<Json<ContentViews>, ApiError> {
    let content_type = kind(&path)?;
    let table = app.table();
    if !table.is_published(content_type, path.id()).await? {
        return Err(not_found());
    }
    let views = table.views(content_type, path.id()).await?;
    Ok(Json(ContentViews { content_id: path.id().to_owned(), content_type, views }))
}

/// Views of all content of a kind.
pub(crate) async fn of_kind(State(app): Shared, path: InPath) -> Result<Json<KindViews>, ApiError> {
    let content_type = kind(&path)?;
    let viewed = app.table().views_of_kind(content_type).await?;
    let stats = viewed.into_iter().map(|viewed| (viewed.id, viewed.views)).collect();
    Ok(Json(KindViews { content_type, stats }))
}

/// The most viewed content of each kind.
pub(crate) async fn top(State(app): Shared, Query(Top { limit }): Query<Top>) -> Result<Json<TopContent>, ApiError> {
    let [blogs, projects, certifications] = most_viewed(&app, limit).await?.map(|(_, viewed)| {
        let stat = |viewed: Viewed| ContentViewStat { content_id: viewed.id, views: viewed.views };
        viewed.into_iter().map(stat).collect()
    });
    Ok(Json(TopContent { blogs, projects, certifications }))
}

/// The views of all content.
pub(crate) async fn total(State(app): Shared) -> Result<Json<TotalViews>, ApiError> {
    Ok(Json(TotalViews { total_views: app.table().total_views().await? }))
}

/// Views, visitors and top pages.
pub(crate) async fn overview(
    State(app): Shared,
    Query(OverviewDays { days }): Query<OverviewDays>,
) -> Result<Json<Overview>, ApiError> {
    let days = last_days(time::day(app.now()), days);
    let table = app.table();
    let (total_views, visitors) = try_join(table.total_views(), table.visitors_by_day(&days)).await?;
    let all = most_viewed(&app, TOP_PAGES).await?;
    let mut top_pages: Vec<_> = all.into_iter().flat_map(|(kind, viewed)| pages(kind, viewed)).collect();
    top_pages.sort_by_key(|page| std::cmp::Reverse(page.view_count));
    top_pages.truncate(TOP_PAGES);
    let recent_activity = days.iter().zip(&visitors);
    Ok(Json(Overview {
        total_views,
        unique_visitors: visitors.iter().sum(),
        top_pages,
        recent_activity: recent_activity
            .map(|(day, visitors)| Activity { iso_date: day.to_string(), visitors: *visitors })
            .collect(),
    }))
}

/// Views per page of a kind, most first.
pub(crate) async fn of_pages(
    State(app): Shared,
    Query(PagesOf { content_type }): Query<PagesOf>,
) -> Result<Json<Vec<PageViews>>, ApiError> {
    let viewed = app.table().views_of_kind(content_type).await?;
    Ok(Json(pages(content_type, viewed).collect()))
}

/// Views of one post, with its title, including drafts.
pub(crate) async fn of_post(State(app): Shared, path: InPath) -> Result<Json<PostStats>, ApiError> {
    let table = app.table();
    let post = table.get::<Post>(path.id()).await?.ok_or_else(not_found)?.content;
    let view_count = table.views(ContentKind::Blog, &post.id).await?;
    Ok(Json(PostStats { post_id: post.id, title: post.title, view_count }))
}

fn kind(path: &InPath) -> Result<ContentKind, ApiError> {
    path.one_of("contentType", ContentKind::NAMES)
}

/// Reads the most viewed content of each kind.
async fn most_viewed(app: &App, limit: usize) -> Result<[(ContentKind, Vec<Viewed>); 3], StoreError> {
    let table = app.table();
    let mut found = try_join_all(ContentKind::ALL.map(|kind| table.most_viewed(kind, limit))).await?.into_iter();
    Ok(ContentKind::ALL.map(|kind| (kind, found.next().unwrap_or_default())))
}

fn pages(kind: ContentKind, viewed: Vec<Viewed>) -> impl Iterator<Item = PageViews> {
    viewed.into_iter().map(move |viewed| PageViews { page_path: kind.page(&viewed.id), view_count: viewed.views })
}
