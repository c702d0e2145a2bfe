//! What stands where in the script API: the host functions as a tree of names.

use crate::base::Fault;
use crate::contract::{HostFn, Receiver, Type};
use crate::script::context::{FIELDS, REQUEST, RESPONSE, unknown};
use crate::script::host;

/// What an expression of a script stands for, as far as that can be told without running it.
#[derive(Clone, Copy)]
pub(crate) enum Meaning {
    /// `ctx`.
    Ctx,
    /// `ctx.request`.
    Request,
    /// `ctx.request.input`.
    Input,
    /// `ctx.response`.
    Response,
    /// `ctx.response.payload`.
    Payload,
    /// `ctx.outgoing`.
    Outgoing,
    /// `ctx.outgoing.KIND`.
    Connections(&'static str),
    /// `ctx.config`.
    Config,
    /// A namespace of `ctx`, such as `kvdb`.
    Space(&'static str),
    /// A library, such as `json`.
    Library(&'static str),
    /// A host object of a class.
    Object(&'static str),
    /// A host function.
    Function(&'static HostFn),
    /// Anything.
    Unknown,
}

/// The script API.
pub(crate) struct Api {
    functions: Vec<&'static HostFn>,
    kinds: Vec<&'static str>,
}

impl Api {
    /// Takes the host functions.
    pub(crate) fn new(tables: Vec<&'static [HostFn]>) -> Self {
        Self {
            kinds: host::outgoing::kinds(&tables, host::outgoing::CONNECTIONS),
            functions: tables.into_iter().flatten().collect(),
        }
    }

    /// Returns the library of a name.
    pub(crate) fn library(&self, name: &str) -> Option<Meaning> {
        let place = self.place(Receiver::Library, name)?;
        Some(Meaning::Library(place))
    }

    /// Returns what a member stands for, or why there is none of the name.
    pub(crate) fn member(&self, of: Meaning, name: &str) -> Result<Meaning, Fault> {
        match of {
            Meaning::Ctx => self.of_ctx(name),
            Meaning::Request if name == "input" => Ok(Meaning::Input),
            Meaning::Request => fixed("ctx.request", name, REQUEST),
            Meaning::Response if name == "payload" => Ok(Meaning::Payload),
            Meaning::Response => fixed("ctx.response", name, RESPONSE),
            Meaning::Outgoing => match self.kinds.iter().find(|kind| **kind == name) {
                Some(kind) => Ok(Meaning::Connections(kind)),
                None => Err(unknown("ctx.outgoing", name, self.kinds.iter().copied())),
            },
            Meaning::Connections(kind) => Ok(self.connection(kind)),
            Meaning::Space(space) => {
                self.function(Receiver::Ctx, space, &format!("ctx.{space}"), name)
            }
            Meaning::Library(library) => self.function(Receiver::Library, library, library, name),
            Meaning::Object(class) => self.function(Receiver::Method, class, class, name),
            Meaning::Function(_)
            | Meaning::Input
            | Meaning::Payload
            | Meaning::Config
            | Meaning::Unknown => Ok(Meaning::Unknown),
        }
    }

    /// Returns what a host function gives.
    pub(crate) fn given(function: &'static HostFn) -> Meaning {
        match function.returns {
            Type::Object(class) => Meaning::Object(class),
            _ => Meaning::Unknown,
        }
    }

    fn of_ctx(&self, name: &str) -> Result<Meaning, Fault> {
        match name {
            "request" => return Ok(Meaning::Request),
            "response" => return Ok(Meaning::Response),
            "outgoing" => return Ok(Meaning::Outgoing),
            "config" => return Ok(Meaning::Config),
            _ if FIELDS.contains(&name) => return Ok(Meaning::Unknown),
            _ => {}
        }
        if let Some(place) = self.place(Receiver::Ctx, name) {
            return Ok(Meaning::Space(place));
        }
        if let Some(function) = self.find(Receiver::Ctx, "", name) {
            return Ok(Meaning::Function(function));
        }
        let own = self.names(Receiver::Ctx, "");
        let mut names: Vec<&str> = own
            .chain(self.spaces())
            .chain(FIELDS.iter().copied())
            .collect();
        names.extend(["request", "response", "outgoing", "config"]);
        names.sort_unstable();
        names.dedup();
        Err(unknown("ctx", name, names.into_iter()))
    }

    /// Returns a function of a place; a property stands for what it gives.
    fn function(
        &self,
        receiver: Receiver,
        place: &str,
        shown: &str,
        name: &str,
    ) -> Result<Meaning, Fault> {
        match self.find(receiver, place, name) {
            Some(function) if host::is_property(function) => Ok(Self::given(function)),
            Some(function) => Ok(Meaning::Function(function)),
            None => Err(unknown(shown, name, self.names(receiver, place))),
        }
    }

    fn connection(&self, kind: &str) -> Meaning {
        let class = self.functions.iter().find_map(|function| {
            let class = host::split(function.path).0;
            (class.strip_prefix("outgoing.") == Some(kind)).then_some(class)
        });
        class.map_or(Meaning::Unknown, Meaning::Object)
    }

    fn find(&self, receiver: Receiver, place: &str, name: &str) -> Option<&'static HostFn> {
        let is = |function: &&&'static HostFn| {
            function.receiver == receiver && host::split(function.path) == (place, name)
        };
        self.functions.iter().find(is).copied()
    }

    fn place(&self, receiver: Receiver, name: &str) -> Option<&'static str> {
        let own = self.functions.iter().filter(|it| it.receiver == receiver);
        let mut places = own.map(|function| host::split(function.path).0);
        places.find(|place| *place == name && !place.is_empty())
    }

    fn names<'a>(
        &'a self,
        receiver: Receiver,
        place: &'a str,
    ) -> impl Iterator<Item = &'static str> + 'a {
        let own = self
            .functions
            .iter()
            .filter(move |it| it.receiver == receiver);
        own.map(|it| host::split(it.path))
            .filter(move |(of, _)| *of == place)
            .map(|(_, name)| name)
    }

    fn spaces(&self) -> impl Iterator<Item = &'static str> + '_ {
        let own = self.functions.iter();
        own.filter(|it| it.receiver == Receiver::Ctx)
            .map(|it| host::split(it.path).0)
            .filter(|place| !place.is_empty())
    }
}

fn fixed(what: &str, name: &str, names: &[&'static str]) -> Result<Meaning, Fault> {
    if names.contains(&name) {
        return Ok(Meaning::Unknown);
    }
    Err(unknown(what, name, names.iter().copied()))
}
