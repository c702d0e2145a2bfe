//! Which channel a request is for. Built whole at reconcile, swapped whole, read without a lock.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::Method;

use crate::base::{Code, Fault, Text};
use crate::connect::http::path::{Path, parameter};
use crate::contract::{Binding, HttpBinding};
use crate::gateway::Route;

/// What a channel without a list of methods answers.
const ALL: [Method; 6] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

/// All routes of the services port: a literal segment goes before a parameter, segment by segment.
#[derive(Default)]
pub(crate) struct Router {
    tree: matchit::Router<usize>,
    places: Vec<Vec<Entry>>,
}

/// A route at its place.
struct Entry {
    route: Arc<Route>,
    /// The names of the path's parameters, in order.
    names: Vec<Text>,
}

/// Where a request leads.
pub(super) enum Found {
    /// To a channel, with the parameters of the path.
    Channel(Arc<Route>, Vec<(Text, Text)>),
    /// To a list of methods: nobody there answers `OPTIONS` himself.
    Options(String),
    /// Nowhere; the fault is written in the format of the channel, if one is there.
    Nowhere(Option<Arc<Route>>, Fault),
}

impl Router {
    /// Adds a channel; refuses one that answers the same method at the same path as another.
    pub(crate) fn add(&mut self, route: Arc<Route>) -> Result<(), Fault> {
        let (shape, names) = shape(&binding(&route).path);
        let index = self.place(&shape, &route)?;
        let Some(place) = self.places.get_mut(index) else {
            return Ok(());
        };
        if let Some(other) = place.iter().find(|entry| collide(&entry.route, &route)) {
            return Err(conflict(&other.route, &route));
        }
        place.push(Entry { route, names });
        Ok(())
    }

    /// Returns the place of a shape, a new one where none is yet.
    fn place(&mut self, shape: &str, route: &Route) -> Result<usize, Fault> {
        let next = self.places.len();
        match self.tree.insert(shape, next) {
            Ok(()) => {
                self.places.push(Vec::new());
                Ok(next)
            }
            Err(matchit::InsertError::Conflict { .. }) => Ok(self.known(shape).unwrap_or(next)),
            Err(error) => Err(Fault::new(
                Code::ConfigConstraint,
                format!(
                    "channel '{}': path '{}': {error}",
                    route.plan.name,
                    binding(route).path
                ),
            )),
        }
    }

    /// Finds the place of a shape that stands in the tree: the shape matches itself.
    fn known(&self, shape: &str) -> Option<usize> {
        self.tree.at(shape).ok().map(|found| *found.value)
    }

    /// Finds the channel of a request.
    pub(super) fn find(&self, method: &Method, path: &Path<'_>) -> Found {
        let Ok(found) = self.tree.at(path.matched()) else {
            return Found::Nowhere(None, nowhere(path));
        };
        let entries = self.places.get(*found.value).map_or(&[][..], Vec::as_slice);
        let serving = |enabled: bool| {
            let here = move |entry: &&Entry| entry.route.enabled == enabled;
            let explicit = entries
                .iter()
                .filter(here)
                .find(|e| lists(&e.route, method));
            explicit.or_else(|| {
                entries
                    .iter()
                    .filter(here)
                    .find(|e| answers(&e.route, method))
            })
        };
        if let Some(entry) = serving(true) {
            let values = found.params.iter().map(|(_, value)| parameter(value));
            let params = entry.names.iter().cloned().zip(values).collect();
            return Found::Channel(Arc::clone(&entry.route), params);
        }
        let allow = allow(entries);
        let first = entries.iter().find(|entry| entry.route.enabled);
        match (serving(false).or(entries.first()), first) {
            (Some(entry), None) => {
                let fault = disabled(&entry.route);
                Found::Nowhere(Some(Arc::clone(&entry.route)), fault)
            }
            _ if *method == Method::OPTIONS => Found::Options(allow),
            (_, first) => {
                let fault = Fault::new(
                    Code::WrongMethod,
                    format!("method {method} is not allowed at '{}'", path.shown()),
                );
                let route = first.map(|entry| Arc::clone(&entry.route));
                Found::Nowhere(route, fault.header("Allow", allow))
            }
        }
    }
}

fn binding(route: &Route) -> &HttpBinding {
    let Binding::Http(binding) = &route.plan.binding;
    binding
}

/// Returns the path with its parameters numbered, and their names: `/a/{x}` and `/a/{y}` are one place.
fn shape(path: &str) -> (String, Vec<Text>) {
    let mut names = Vec::new();
    let segments: Vec<String> = path
        .split('/')
        .map(|segment| match parameter_name(segment) {
            Some(name) => {
                names.push(Text::new(name));
                format!("{{p{}}}", names.len())
            }
            None => segment.to_owned(),
        })
        .collect();
    (segments.join("/"), names)
}

/// Returns the name in a segment such as `{name}`.
pub(super) fn parameter_name(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

fn methods(route: &Route) -> &[Method] {
    let own = &binding(route).methods;
    if own.is_empty() { &ALL } else { own }
}

/// Tells whether a channel names the method itself.
fn lists(route: &Route, method: &Method) -> bool {
    methods(route).contains(method)
}

/// Tells whether a channel answers the method: `HEAD` is answered like `GET`.
fn answers(route: &Route, method: &Method) -> bool {
    lists(route, method) || (*method == Method::HEAD && lists(route, &Method::GET))
}

/// Tells whether two channels answer the same method; one that is off is in nobody's way.
fn collide(one: &Route, other: &Route) -> bool {
    one.enabled && other.enabled && methods(one).iter().any(|method| lists(other, method))
}

fn conflict(one: &Route, other: &Route) -> Fault {
    Fault::new(
        Code::ConfigDuplicate,
        format!(
            "channels '{}' and '{}' answer the same method at path '{}'",
            one.plan.name,
            other.plan.name,
            binding(other).path
        ),
    )
    .hint("Give them different paths or methods, or switch one of them off.")
}

/// Returns the value of `Allow`: every method somebody answers at the place.
fn allow(entries: &[Entry]) -> String {
    let enabled = entries.iter().filter(|entry| entry.route.enabled);
    let mut names: BTreeSet<&str> = enabled
        .flat_map(|entry| methods(&entry.route).iter().map(Method::as_str))
        .collect();
    if names.contains("GET") {
        names.insert("HEAD");
    }
    names.insert("OPTIONS");
    names.into_iter().collect::<Vec<_>>().join(", ")
}

fn nowhere(path: &Path<'_>) -> Fault {
    if path.hides_slash() {
        // Only a parameter may take an encoded slash; elsewhere it could be read as two segments.
        return Fault::new(Code::BadRequest, "the path holds an encoded slash");
    }
    Fault::new(
        Code::NoChannel,
        format!("there is no channel at '{}'", path.shown()),
    )
}

fn disabled(route: &Route) -> Fault {
    Fault::new(
        Code::ChannelDisabled,
        format!("channel '{}' is switched off", route.plan.name),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::http::tests::support::route;

    fn build(routes: &[(&str, &str, &str)]) -> Result<Router, Vec<Fault>> {
        let routes = routes
            .iter()
            .map(|(name, path, methods)| route(name, path, methods));
        of(routes.map(Arc::new))
    }

    fn of(routes: impl IntoIterator<Item = Arc<Route>>) -> Result<Router, Vec<Fault>> {
        let mut router = Router::default();
        let added = routes.into_iter().map(|route| router.add(route));
        let faults: Vec<_> = added.filter_map(Result::err).collect();
        if faults.is_empty() {
            Ok(router)
        } else {
            Err(faults)
        }
    }

    fn found(router: &Router, method: &str, path: &str) -> String {
        let path = Path::parse(path).unwrap();
        match router.find(&method.parse().unwrap(), &path) {
            Found::Channel(route, params) => {
                let params: Vec<_> = params.iter().map(|(n, v)| format!(" {n}={v}")).collect();
                format!("{}{}", route.plan.name, params.concat())
            }
            Found::Options(allow) => format!("options {allow}"),
            Found::Nowhere(route, fault) => {
                let name = route.map_or("-".to_owned(), |route| route.plan.name.to_string());
                let allow = fault
                    .headers()
                    .first()
                    .map(|(_, value)| format!(" {value}"));
                format!("{} {name}{}", fault.code(), allow.unwrap_or_default())
            }
        }
    }

    #[test]
    fn the_most_literal_path_wins_and_the_rest_is_named() {
        let router = build(&[
            ("root", "/", "GET"),
            ("list", "/users", "GET POST"),
            ("one", "/users/{id}", "GET DELETE"),
            ("me", "/users/me", "GET"),
            ("orders", "/users/{user}/orders/{order}", "GET"),
            ("my-orders", "/users/me/orders", ""),
            ("any", "/{kind}/{id}", "GET"),
            ("put-one", "/users/{other}", "PUT"),
        ])
        .unwrap();
        for (method, path, expected) in [
            ("GET", "/", "root"),
            ("GET", "/users", "list"),
            ("GET", "/users/7", "one id=7"),
            ("PUT", "/users/7", "put-one other=7"),
            ("GET", "/users/me", "me"),
            ("HEAD", "/users/me", "me"),
            ("GET", "/users/a%2Fb", "one id=a/b"),
            ("GET", "/users/a%252Fb", "one id=a%2Fb"),
            ("GET", "/users/me/orders/1", "orders user=me order=1"),
            ("PATCH", "/users/me/orders", "my-orders"),
            ("GET", "/cars/7", "any kind=cars id=7"),
            ("GET", "/users/", "KL-H404 -"),
            ("GET", "/Users/me", "any kind=Users id=me"),
            ("GET", "//", "KL-H404 -"),
            ("GET", "/users/me/", "KL-H404 -"),
            ("GET", "/a/b/c", "KL-H404 -"),
            ("GET", "/users%2Fme", "KL-H400 -"),
            ("POST", "/users/me", "KL-H405 me GET, HEAD, OPTIONS"),
            (
                "TRACE",
                "/users/me/orders",
                "KL-H405 my-orders DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT",
            ),
            ("CONNECT", "/users", "KL-H405 list GET, HEAD, OPTIONS, POST"),
            ("get", "/users", "KL-H405 list GET, HEAD, OPTIONS, POST"),
            (
                "PATCH",
                "/users/7",
                "KL-H405 one DELETE, GET, HEAD, OPTIONS, PUT",
            ),
            (
                "OPTIONS",
                "/users/7",
                "options DELETE, GET, HEAD, OPTIONS, PUT",
            ),
        ] {
            assert_eq!(found(&router, method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn two_channels_at_one_path_and_method_are_refused_by_name() {
        let faults = build(&[
            ("a", "/x/{one}", "GET POST"),
            ("b", "/x/{two}", "POST"),
            ("c", "/y", "GET"),
            ("d", "/y", ""),
            ("e", "/y", "OPTIONS"),
        ])
        .err()
        .unwrap();
        let texts: Vec<_> = faults.iter().map(Fault::message).collect();
        assert_eq!(
            texts,
            [
                "channels 'a' and 'b' answer the same method at path '/x/{two}'",
                "channels 'c' and 'd' answer the same method at path '/y'",
            ]
        );
    }

    #[test]
    fn a_channel_that_is_off_answers_404_and_is_in_nobodys_way() {
        let off = |name: &str, methods: &str| {
            let mut route = route(name, "/x", methods);
            route.enabled = false;
            Arc::new(route)
        };
        let router = of([off("old", "GET")]).unwrap();
        assert_eq!(found(&router, "GET", "/x"), "KL-H410 old");
        assert_eq!(found(&router, "POST", "/x"), "KL-H410 old");
        let both = [off("old", "GET"), Arc::new(route("new", "/x", "GET"))];
        assert_eq!(found(&of(both).unwrap(), "GET", "/x"), "new");
        let split = [off("old", "GET"), Arc::new(route("new", "/x", "POST"))];
        let router = of(split).unwrap();
        assert_eq!(found(&router, "GET", "/x"), "KL-H405 new OPTIONS, POST");
    }

    #[test]
    fn a_channel_that_lists_options_answers_it_itself() {
        let router = build(&[("cors", "/x", "OPTIONS GET")]).unwrap();
        assert_eq!(found(&router, "OPTIONS", "/x"), "cors");
    }
}
