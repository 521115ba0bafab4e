//! What the page is dressed in: a style sheet, a script and an icon, each a file of its own, so that the policy can forbid everything
//! that stands in the page itself.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use std::hash::{DefaultHasher, Hasher};

pub static STYLE: Asset = Asset { path: "/page.css", kind: "text/css; charset=utf-8", text: include_str!("page.css") };
pub static SCRIPT: Asset =
    Asset { path: "/page.js", kind: "text/javascript; charset=utf-8", text: include_str!("page.js") };
pub static ICON: Asset = Asset { path: "/page.svg", kind: "image/svg+xml", text: include_str!("page.svg") };

pub struct Asset {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

impl Asset {
    /// Its address, which another content changes: browsers may keep it for long.
    pub fn link(&self) -> String {
        let mut hasher = DefaultHasher::new();
        hasher.write(self.text.as_bytes());
        format!("{}?v={:016x}", self.path, hasher.finish())
    }

    fn answer(&self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(self.kind)),
            (header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=86400")),
        ];
        (headers, self.text).into_response()
    }
}

/// `GET /page.css`
pub async fn style() -> Response {
    STYLE.answer()
}

/// `GET /page.js`
pub async fn script() -> Response {
    SCRIPT.answer()
}

/// `GET /page.svg`
pub async fn icon() -> Response {
    ICON.answer()
}
