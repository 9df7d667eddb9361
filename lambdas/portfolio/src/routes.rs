//! Which handler serves which route.

use std::sync::Arc;

use axum::{Router, http::StatusCode, middleware::from_fn_with_state, routing::on};
use common::cors::{Origins, Policy};
use portfolio_contract::{Api, ApiRoute};

use crate::{
    app::App,
    content::{Certification, Post, Project},
    gate,
    handlers::{about, analytics, auth, contents, visitors},
};

/// The permissions of pages of listed origins.
const POLICY: Policy = Policy {
    methods: "GET, POST, PUT, PATCH, DELETE, OPTIONS",
    headers: "Content-Type, Authorization, X-Amz-Date, X-Api-Key, X-Amz-Security-Token, X-Session-Id",
    exposed: "Retry-After",
    max_age: 600,
    credentials: true,
    preflight_status: StatusCode::NO_CONTENT,
    first_without_origin: false,
};

/// Every route of the function, behind the gate that its mark asks for.
pub fn router(app: App) -> Router {
    use ApiRoute as R;
    let origins = Origins::parse(&app.settings.origins).policy(POLICY);
    let app = Arc::new(app);
    let gated = Arc::clone(&app);
    common::http::router::<Api, ApiRoute, _>(origins, app, move |route, method| {
        let routed = match route {
            R::Login => on(method, auth::login),
            R::Logout => on(method, auth::logout),
            R::Me => on(method, auth::me),
            R::Refresh => on(method, auth::refresh),
            R::ListPosts => on(method, contents::list::<Post>),
            R::CreatePost => on(method, contents::create::<Post>),
            R::GetPost => on(method, contents::get::<Post>),
            R::UpdatePost => on(method, contents::update::<Post>),
            R::DeletePost => on(method, contents::delete::<Post>),
            R::PublishPost => on(method, contents::publish::<Post>),
            R::UnpublishPost => on(method, contents::unpublish::<Post>),
            R::ListCategories => on(method, contents::categories),
            R::ListProjects => on(method, contents::list::<Project>),
            R::CreateProject => on(method, contents::create::<Project>),
            R::GetProject => on(method, contents::get::<Project>),
            R::UpdateProject => on(method, contents::update::<Project>),
            R::DeleteProject => on(method, contents::delete::<Project>),
            R::PublishProject => on(method, contents::publish::<Project>),
            R::UnpublishProject => on(method, contents::unpublish::<Project>),
            R::ListCertifications => on(method, contents::list::<Certification>),
            R::CreateCertification => on(method, contents::create::<Certification>),
            R::GetCertification => on(method, contents::get::<Certification>),
            R::UpdateCertification => on(method, contents::update::<Certification>),
            R::DeleteCertification => on(method, contents::delete::<Certification>),
            R::PublishCertification => on(method, contents::publish::<Certification>),
            R::UnpublishCertification => on(method, contents::unpublish::<Certification>),
            R::TrackVisitor => on(method, visitors::track),
            R::VisitorCount => on(method, visitors::count),
            R::DailyVisitors => on(method, visitors::daily),
            R::MonthlyVisitors => on(method, visitors::monthly),
            R::TrackView => on(method, analytics::track),
            R::ContentViews => on(method, analytics::of_content),
            R::TypeViews => on(method, analytics::of_kind),
            R::TopContent => on(method, analytics::top),
            R::TotalViews => on(method, analytics::total),
            R::Overview => on(method, analytics::overview),
            R::PageViews => on(method, analytics::of_pages),
            R::PostStats => on(method, analytics::of_post),
            R::Root => on(method, about::root),
            R::Health => on(method, about::health),
            R::OpenApi => on(method, about::description),
        };
        routed.route_layer(from_fn_with_state((Arc::clone(&gated), route), gate::layer))
    })
}
