//! Named values in the order they were given.

use crate::base::{Text, Value};

/// An ordered map. Messages have few names, so a look-up is a walk; whoever reads foreign input checks duplicates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map(Vec<(Text, Value)>);

impl Map {
    /// Returns an empty map.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Returns an empty map with room for `n` names.
    pub fn with_capacity(n: usize) -> Self {
        Self(Vec::with_capacity(n))
    }

    /// Returns the value of a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value)
    }

    /// Returns the value of a name, to change it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.0
            .iter_mut()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value)
    }

    /// Sets a name: replaces its value in place, or adds it at the end.
    pub fn set(&mut self, name: impl AsRef<str>, value: impl Into<Value>) {
        match self.get_mut(name.as_ref()) {
            Some(slot) => *slot = value.into(),
            None => self.push(Text::new(name), value.into()),
        }
    }

    /// Adds a name at the end without looking whether it is there already.
    pub fn push(&mut self, name: Text, value: Value) {
        self.0.push((name, value));
    }

    /// Adds a name as `push` does; returns its value, which is still to be set.
    pub fn push_mut(&mut self, name: Text) -> &mut Value {
        &mut self.0.push_mut((name, Value::Null)).1
    }

    /// Takes a name out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let index = self.0.iter().position(|(own, _)| own == name)?;
        Some(self.0.remove(index).1)
    }

    /// Tells whether a name is there.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Returns how many names there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether there is no name.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Walks the names and values in order.
    pub fn iter(&self) -> std::slice::Iter<'_, (Text, Value)> {
        self.0.iter()
    }

    /// Walks the names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

impl FromIterator<(Text, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (Text, Value)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl IntoIterator for Map {
    type Item = (Text, Value);
    type IntoIter = std::vec::IntoIter<(Text, Value)>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = &'a (Text, Value);
    type IntoIter = std::slice::Iter<'a, (Text, Value)>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_and_a_second_set_replaces() {
        let mut map = Map::new();
        map.set("b", 1);
        map.set("a", 2);
        map.set("b", 3);
        assert_eq!(map.names().collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(map.get("b"), Some(&Value::Int(3)));
    }
}
