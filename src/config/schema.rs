//! Walks a JSON Schema beside a body: what a key may hold, which values are secret, which refer to
//! objects.
//!
//! Schemas come from `schemars` (our own types), so only what it writes is understood here.

use serde_json::Value;

/// Bodies and schemas are walked at most this deep.
pub(crate) const MAX_DEPTH: usize = 64;

/// A schema with its root, so that `$ref` can be followed.
#[derive(Clone, Copy)]
pub(crate) struct Schema<'a> {
    root: &'a Value,
    node: &'a Value,
}

impl<'a> Schema<'a> {
    /// Wraps a whole schema.
    pub(crate) fn new(root: &'a Value) -> Self {
        Self { root, node: root }
    }

    /// Returns a keyword of this very node.
    pub(crate) fn keyword(self, name: &str) -> Option<&'a Value> {
        self.node.get(name)
    }

    /// Returns a keyword as text.
    pub(crate) fn text(self, name: &str) -> Option<&'a str> {
        self.keyword(name)?.as_str()
    }

    /// Returns the schema below a keyword that holds one.
    pub(crate) fn below(self, keyword: &str) -> Option<Self> {
        self.keyword(keyword).map(|node| self.with(node))
    }

    /// Returns the schemas in a keyword that holds a list of them.
    pub(crate) fn list(self, keyword: &str) -> impl Iterator<Item = Self> {
        let nodes = self.keyword(keyword).and_then(Value::as_array);
        nodes.into_iter().flatten().map(move |node| self.with(node))
    }

    /// Returns what `$ref` points to.
    pub(crate) fn referred(self) -> Option<Self> {
        let pointer = self.text("$ref")?.strip_prefix('#')?;
        self.root.pointer(pointer).map(|node| self.with(node))
    }

    /// Returns the alternatives: `anyOf` and `oneOf`.
    pub(crate) fn alternatives(self) -> Vec<Self> {
        self.list("anyOf").chain(self.list("oneOf")).collect()
    }

    /// Returns this node and every schema that holds for the same value.
    pub(crate) fn layers(self) -> Vec<Self> {
        let mut found = Vec::new();
        self.gather(&mut found, MAX_DEPTH);
        found
    }

    fn gather(self, found: &mut Vec<Self>, depth: usize) {
        let Some(depth) = depth.checked_sub(1) else {
            return;
        };
        found.push(self);
        let inner = self.referred().into_iter().chain(self.list("allOf"));
        inner
            .chain(self.alternatives())
            .for_each(|schema| schema.gather(found, depth));
    }

    /// Returns the schemas of a key, over all layers.
    pub(crate) fn properties(self, key: &str) -> Vec<Self> {
        let layers = self.layers();
        let declared: Vec<_> = layers
            .iter()
            .filter_map(|layer| layer.declared(key))
            .collect();
        if !declared.is_empty() {
            return declared;
        }
        let rest = layers
            .iter()
            .filter_map(|layer| layer.below("additionalProperties"));
        rest.filter(|schema| schema.node.is_object()).collect()
    }

    /// Returns the schema this very node declares for a key.
    pub(crate) fn declared(self, key: &str) -> Option<Self> {
        self.keyword("properties")?
            .get(key)
            .map(|node| self.with(node))
    }

    /// Returns the keys all layers declare, in order.
    pub(crate) fn keys(self) -> Vec<&'a str> {
        let mut keys = Vec::new();
        for layer in self.layers() {
            let own = layer.keyword("properties").and_then(Value::as_object);
            for key in own.into_iter().flat_map(|map| map.keys()) {
                if !keys.contains(&key.as_str()) {
                    keys.push(key.as_str());
                }
            }
        }
        keys
    }

    /// Returns the schemas of a list's members, over all layers.
    pub(crate) fn members(self, index: usize) -> Vec<Self> {
        let of = |layer: &Self| {
            layer
                .list("prefixItems")
                .nth(index)
                .or_else(|| layer.below("items"))
        };
        self.layers().iter().filter_map(of).collect()
    }

    /// Tells whether a value of one of the JSON types may stand here. No type at all means any.
    pub(crate) fn accepts(self, ty: &str) -> bool {
        let types: Vec<_> = self
            .layers()
            .into_iter()
            .flat_map(Self::own_types)
            .collect();
        types.is_empty() || types.contains(&ty)
    }

    /// Returns the JSON types this very node names.
    pub(crate) fn own_types(self) -> Vec<&'a str> {
        match self.keyword("type") {
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Tells whether the value is secret.
    pub(crate) fn is_secret(self) -> bool {
        self.hint("x-secret").is_some()
    }

    /// Returns the role of the objects a value may name.
    pub(crate) fn reference(self) -> Option<&'a str> {
        self.hint("x-ref")?.as_str()
    }

    /// Tells whether the schema names this very value: by `const`, `enum` or, beside `x-ref`,
    /// `x-none`.
    fn allows_exactly(self, value: &Value) -> bool {
        self.layers().into_iter().any(|layer| {
            let one = ["const", "x-none"].map(|keyword| layer.keyword(keyword));
            let many = layer.keyword("enum").and_then(Value::as_array);
            one.contains(&Some(value)) || many.is_some_and(|many| many.contains(value))
        })
    }

    fn hint(self, name: &str) -> Option<&'a Value> {
        self.layers()
            .into_iter()
            .find_map(|layer| layer.keyword(name))
    }

    fn with(self, node: &'a Value) -> Self {
        Self {
            root: self.root,
            node,
        }
    }
}

/// Calls `visit` with every scalar of a body: its JSON pointer, its value and the schemas that hold
/// for it.
pub(crate) fn each_scalar<'a>(
    schema: Schema<'a>,
    body: &'a Value,
    visit: &mut dyn FnMut(&str, &'a Value, &[Schema<'a>]),
) {
    walk(&[schema], body, &mut String::new(), MAX_DEPTH, visit);
}

fn walk<'a>(
    schemas: &[Schema<'a>],
    body: &'a Value,
    pointer: &mut String,
    depth: usize,
    visit: &mut dyn FnMut(&str, &'a Value, &[Schema<'a>]),
) {
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    let mut enter = |step: &str, schemas: &[Schema<'a>], value| {
        let length = pointer.len();
        push_step(pointer, step);
        walk(schemas, value, pointer, depth, visit);
        pointer.truncate(length);
    };
    match body {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            let inner: Vec<_> = schemas.iter().flat_map(|s| s.properties(key)).collect();
            enter(key, &inner, value);
        }),
        Value::Array(list) => list.iter().enumerate().for_each(|(index, value)| {
            let inner: Vec<_> = schemas.iter().flat_map(|s| s.members(index)).collect();
            enter(&index.to_string(), &inner, value);
        }),
        scalar => visit(pointer, scalar, schemas),
    }
}

/// Adds a step to a JSON pointer.
pub(crate) fn push_step(pointer: &mut String, step: &str) {
    pointer.push('/');
    pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
}

/// Returns the secrets of a body: the pointer and text of each value the schema marks `x-secret`.
pub(crate) fn secrets_of(schema: &Value, body: &Value) -> Vec<(String, String)> {
    let mut secrets = Vec::new();
    each_scalar(Schema::new(schema), body, &mut |pointer, value, schemas| {
        if let Some(text) = value.as_str()
            && schemas.iter().any(|schema| schema.is_secret())
        {
            secrets.push((pointer.to_owned(), text.to_owned()));
        }
    });
    secrets
}

/// Returns the references of a body: the pointer, role and name of each value the schema marks
/// `x-ref`.
pub(crate) fn references_of(schema: &Value, body: &Value) -> Vec<(String, String, String)> {
    let mut references = Vec::new();
    each_scalar(Schema::new(schema), body, &mut |pointer, value, schemas| {
        let role = schemas.iter().find_map(|schema| schema.reference());
        // A place may also take a fixed word, such as `security: none`.
        let is_word = schemas.iter().any(|schema| schema.allows_exactly(value));
        if let (Some(text), Some(role), false) = (value.as_str(), role, is_word) {
            references.push((pointer.to_owned(), role.to_owned(), text.to_owned()));
        }
    });
    references
}

#[cfg(test)]
mod tests {
    use schemars::{JsonSchema, schema_for};
    use serde::Serialize;
    use serde_json::json;

    use super::*;
    use crate::base::Secret;
    use crate::contract::{Ref, role};

    #[derive(Serialize, JsonSchema)]
    struct Spec {
        plain: String,
        nested: Option<Nested>,
        list: Vec<Nested>,
    }

    #[derive(Serialize, JsonSchema)]
    struct Nested {
        password: Option<Secret>,
        security: Option<Ref<role::Security>>,
    }

    #[test]
    fn a_word_that_stands_for_no_object_is_no_reference() {
        let schema = json!({"properties": {
            "a": {"type": "string", "x-ref": "security", "x-none": "none"},
            "b": {"anyOf": [{"const": "none"}, {"type": "string", "x-ref": "security"}]}}});
        let body = json!({"a": "none", "b": "none"});
        assert_eq!(references_of(&schema, &body), []);
        let body = json!({"a": "some", "b": "other"});
        assert_eq!(references_of(&schema, &body).len(), 2);
    }

    #[test]
    fn secrets_and_references_are_found_through_options_lists_and_definitions() {
        let schema = schema_for!(Spec).to_value();
        let body = json!({"plain": "x", "nested": {"password": "a", "security": "s1"},
                          "list": [{"password": "b"}]});
        let pairs = |p: &str, t: &str| (p.to_owned(), t.to_owned());
        assert_eq!(
            secrets_of(&schema, &body),
            [
                pairs("/nested/password", "a"),
                pairs("/list/0/password", "b")
            ]
        );
        let references = references_of(&schema, &body);
        assert_eq!(references.len(), 1);
        assert_eq!(references[0].1, "security");
        assert_eq!(references[0].2, "s1");
    }
}
