//! A router that remembers what it serves, so that the list of addresses cannot differ from them.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, on};
use serde_json::{Map, Value, json};

use crate::app::App;

#[derive(Default)]
pub struct Routes {
    router: Router<App>,
    listed: Vec<(Method, &'static str, &'static str)>,
}

macro_rules! methods {
    ($($name:ident $method:ident),*) => {$(
        #[must_use]
        pub fn $name<H: Handler<T, App>, T: 'static>(mut self, path: &'static str, summary: &'static str, handler: H) -> Self {
            self.router = self.router.route(path, on(MethodFilter::$method, handler));
            self.listed.push((Method::$method, path, summary));
            self
        }
    )*};
}

impl Routes {
    methods!(get GET, post POST, put PUT, patch PATCH, delete DELETE);

    /// The router and its description, in OpenAPI's form.
    pub fn split(self, prefix: &str) -> (Router<App>, Value) {
        let mut paths: Map<String, Value> = Map::new();
        for (method, path, summary) in &self.listed {
            let parameters: Vec<Value> = path
                .split('/')
                .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
                .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
                .collect();
            let operation = json!({
                "summary": summary,
                "parameters": parameters,
                "responses": { "2XX": { "description": "done" }, "default": { "$ref": "#/components/responses/Refusal" } },
            });
            let entry = paths.entry(format!("{prefix}{path}")).or_insert_with(|| json!({}));
            entry[method.as_str().to_lowercase()] = operation;
        }
        (self.router, Value::Object(paths))
    }
}
