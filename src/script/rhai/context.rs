//! `ctx` and its parts, as Rhai reaches them: every field goes through an indexer, so an unknown one is explained.

use std::sync::Arc;

use rhai::{Dynamic, Engine, ImmutableString};

use crate::base::{Code, Fault, Text, Value};
use crate::contract::{HostFn, Receiver};
use crate::script::context::{
    FIELDS, REQUEST, RESPONSE, call_field, header_twice, request_value, undeclared, unknown,
};
use crate::script::host;
use crate::script::rhai::bind::{self, Index, Kind, Outcome, current, raise};
use crate::script::rhai::convert::to_rhai;
use crate::script::rhai::object::{
    Config, Connections, Headers, Held, Outgoing, Payload, Raised, Request, Response, Root,
    SentHeaders, Space,
};

/// Registers the fields of everything that has some.
pub(crate) fn install(engine: &mut Engine, index: &Arc<Index>, tables: &[&'static [HostFn]]) {
    root(engine, index, host::outgoing::groups(tables).collect());
    request(engine);
    response(engine);
    outgoing(engine, tables);
    spaces(engine, index);
    objects(engine, index);
}

/// Registers a type with its name and how its fields are read. Those of `known` have getters of their own: Rhai makes
/// an error of a field without one before it asks the indexer, which explains it.
fn readable<T: Clone + Send + Sync + 'static>(
    engine: &mut Engine,
    name: &str,
    known: &[&'static str],
    read: impl Fn(&T, &str) -> Outcome + Send + Sync + 'static,
) {
    engine.register_type_with_name::<T>(name);
    let read = Arc::new(read);
    for field in known {
        let (field, read) = (*field, Arc::clone(&read));
        engine.register_get(field, move |this: &mut T| read(this, field));
    }
    engine.register_indexer_get(move |this: &mut T, field: ImmutableString| read(this, &field));
}

/// Registers how the fields of a type are written; those of `known` have setters of their own.
///
/// Rhai writes back the parts that it went through: `ctx.response.payload.rate = x` also sets `ctx.response`. A part
/// is known by what it is, so that this does nothing.
fn writable<T: Clone + Send + Sync + 'static>(
    engine: &mut Engine,
    known: &[&'static str],
    write: impl Fn(&str, Dynamic) -> Outcome<()> + Send + Sync + 'static,
) {
    let write = Arc::new(write);
    for field in known {
        let (field, write) = (*field, Arc::clone(&write));
        engine.register_set(field, move |_: &mut T, value: Dynamic| write(field, value));
    }
    engine.register_indexer_set(move |_: &mut T, field: ImmutableString, value: Dynamic| {
        write(&field, value)
    });
}

fn root(engine: &mut Engine, index: &Arc<Index>, groups: Vec<&'static str>) {
    let (own, groups) = (Arc::clone(index), Arc::<[_]>::from(groups));
    let mut all = vec!["request", "response", "config"];
    all.extend(groups.iter().copied().chain(index.places(Kind::Ctx)));
    let known = Arc::clone(&groups);
    readable(
        engine,
        "ctx",
        &[&all, FIELDS].concat(),
        move |_: &Root, name| {
            let part = match name {
                "request" => Dynamic::from(Request),
                "response" => Dynamic::from(Response),
                _ if let Some(group) = known.iter().find(|group| **group == name) => {
                    Dynamic::from(Outgoing(group))
                }
                "config" => Dynamic::from(Config),
                _ if FIELDS.contains(&name) => {
                    let task = current("ctx")?;
                    to_rhai(&call_field(&task.running.call, name))
                }
                _ => match own.places(Kind::Ctx).find(|place| *place == name) {
                    Some(place) => Dynamic::from(Space {
                        receiver: Receiver::Ctx,
                        name: place,
                    }),
                    None => return Err(raise(no_field(&own, name))),
                },
            };
            Ok(part)
        },
    );
    let own = Arc::clone(index);
    writable::<Root>(engine, &all, move |name, value| {
        let parts = ["request", "response", "config"];
        let known = parts.contains(&name)
            || groups.contains(&name)
            || own.places(Kind::Ctx).any(|place| place == name);
        if known && is_part(&value) {
            return Ok(());
        }
        let message = format!("ctx.{name} cannot be set");
        let fault = Fault::new(Code::ScriptError, message);
        Err(raise(fault.hint(
            "Keep what belongs to the call in a variable, and answer in `ctx.response`.",
        )))
    });
}

fn no_field(index: &Index, name: &str) -> Fault {
    let functions = index.names(Kind::Ctx, "").into_iter();
    let functions = functions.flat_map(|names| names.keys().copied());
    let own = functions.chain(index.places(Kind::Ctx));
    let own = own.chain(["outgoing", "config", "request", "response"]);
    unknown("ctx", name, own.chain(FIELDS.iter().copied()))
}

fn is_part(value: &Dynamic) -> bool {
    value.is::<Request>()
        || value.is::<Response>()
        || value.is::<Outgoing>()
        || value.is::<Config>()
        || value.is::<Space>()
}

fn request(engine: &mut Engine) {
    readable(engine, "ctx.request", REQUEST, |_: &Request, name| {
        let task = current("ctx.request")?;
        match name {
            "input" => Ok(task.input.get()),
            "headers" => match request_value(&task.running.call, name) {
                Value::Map(map) => Ok(Dynamic::from(Headers(Arc::new(map)))),
                other => Ok(to_rhai(&other)),
            },
            _ if REQUEST.contains(&name) => Ok(to_rhai(&request_value(&task.running.call, name))),
            _ => Err(raise(unknown("ctx.request", name, REQUEST.iter().copied()))),
        }
    });
    writable::<Request>(engine, REQUEST, |name, value| {
        let task = current("ctx.request")?;
        match name {
            "input" => task.input.set(value),
            _ if REQUEST.contains(&name) => {}
            _ => return Err(raise(unknown("ctx.request", name, REQUEST.iter().copied()))),
        }
        Ok(())
    });
    readable(engine, "headers", &[], |headers: &Headers, name| {
        let value = headers.0.get(&name.to_ascii_lowercase()).cloned();
        Ok(to_rhai(&value.unwrap_or_default()))
    });
    engine.register_fn("contains", |headers: &mut Headers, name: &str| {
        headers.0.contains(&name.to_ascii_lowercase())
    });
    engine.register_fn("keys", |headers: &mut Headers| {
        let names = headers.0.names().map(|name| Dynamic::from(name.to_owned()));
        names.collect::<rhai::Array>()
    });
}

fn response(engine: &mut Engine) {
    readable(engine, "ctx.response", RESPONSE, |_: &Response, name| {
        let task = current("ctx.response")?;
        let field = task.response.field(name);
        let field = field.ok_or_else(|| raise(unknown_response(name)))?;
        let declared = task.declaration().output.is_some();
        let value = field.borrow();
        match name {
            "payload" if declared && value.is_map() => Ok(Dynamic::from(Payload)),
            "headers" => Ok(Dynamic::from(SentHeaders)),
            _ => Ok(value.clone()),
        }
    });
    writable::<Response>(engine, RESPONSE, |name, value| {
        let task = current("ctx.response")?;
        let field = task.response.field(name);
        let field = field.ok_or_else(|| raise(unknown_response(name)))?;
        if value.is::<Payload>() || value.is::<SentHeaders>() {
            return Ok(());
        }
        let value = match name {
            "headers" => to_headers(value.flatten()).map_err(raise)?,
            _ => value.flatten(),
        };
        drop(field.replace(value));
        Ok(())
    });
    sent_headers(engine);
    payload(engine);
}

fn sent_headers(engine: &mut Engine) {
    readable(
        engine,
        "ctx.response.headers",
        &[],
        |_: &SentHeaders, name| {
            let task = current("ctx.response")?;
            let headers = task.response.headers.borrow();
            let map = headers.as_map_ref().ok();
            let value = map.and_then(|map| map.get(&*name.to_ascii_lowercase()).cloned());
            Ok(value.unwrap_or_default())
        },
    );
    writable::<SentHeaders>(engine, &[], |name, value| {
        let task = current("ctx.response")?;
        let mut headers = task.response.headers.borrow_mut();
        if !headers.is_map() {
            *headers = rhai::Map::new().into();
        }
        if let Ok(mut map) = headers.as_map_mut() {
            let name = name.to_ascii_lowercase();
            if value.is_unit() {
                drop(map.remove(name.as_str()));
            } else {
                map.insert(name.into(), value.flatten());
            }
        }
        Ok(())
    });
}

/// Makes headers of what a script assigns: their names are lower-case.
fn to_headers(given: Dynamic) -> Result<Dynamic, Fault> {
    let Some(map) = given.clone().try_cast::<rhai::Map>() else {
        return Ok(given);
    };
    let mut headers = rhai::Map::new();
    for (name, value) in map {
        let twice = headers.insert(name.to_ascii_lowercase().into(), value);
        if twice.is_some() {
            return Err(header_twice(&name));
        }
    }
    Ok(headers.into())
}

fn payload(engine: &mut Engine) {
    readable(engine, "ctx.response.payload", &[], |_: &Payload, name| {
        let task = current("ctx.response")?;
        let payload = task.response.payload.borrow();
        let value = payload.as_map_ref().ok();
        Ok(value
            .and_then(|map| map.get(name).cloned())
            .unwrap_or_default())
    });
    writable::<Payload>(engine, &[], |name, value| {
        let task = current("ctx.response")?;
        let outputs = task.declaration().output.iter().flatten();
        let mut names = outputs.map(|field| field.name.as_str());
        if !names.clone().any(|own| own == name) {
            return Err(raise(undeclared(name, names.by_ref())));
        }
        if let Ok(mut map) = task.response.payload.borrow_mut().as_map_mut() {
            map.insert(name.into(), value.flatten());
        }
        Ok(())
    });
}

fn unknown_response(name: &str) -> Fault {
    unknown("ctx.response", name, RESPONSE.iter().copied())
}

fn outgoing(engine: &mut Engine, tables: &[&'static [HostFn]]) {
    let groups = host::outgoing::groups(tables);
    let groups = groups.map(|group| (group, host::outgoing::kinds(tables, group)));
    let groups: Vec<(&str, Vec<&str>)> = groups.collect();
    let kinds: Vec<&str> = groups.iter().flat_map(|(_, kinds)| kinds.clone()).collect();
    readable(
        engine,
        "ctx.outgoing",
        &kinds,
        move |&Outgoing(group), name| {
            let own = groups.iter().filter(|(own, _)| *own == group);
            let mut kinds = own.flat_map(|(_, kinds)| kinds.iter().copied());
            match kinds.clone().find(|kind| *kind == name) {
                Some(kind) => Ok(Dynamic::from(Connections { group, kind })),
                None => Err(raise(unknown(
                    &format!("ctx.{group}"),
                    name,
                    kinds.by_ref(),
                ))),
            }
        },
    );
    writable::<Outgoing>(engine, &kinds, |_, _| Ok(()));
    readable(engine, "ctx.outgoing", &[], |own: &Connections, name| {
        let task = current("a connection")?;
        let found = host::outgoing::connection(&task.running.call, own.group, own.kind, name);
        found.map(|value| to_rhai(&value)).map_err(raise)
    });
    writable::<Connections>(engine, &[], |_, _| Ok(()));
    readable(engine, "ctx.config", &[], |_: &Config, name| {
        let task = current("ctx.config")?;
        let found = host::config::file(&task.running.call, name);
        found.map(|value| to_rhai(&value)).map_err(raise)
    });
    writable::<Config>(engine, &[], |_, _| Ok(()));
}

fn spaces(engine: &mut Engine, index: &Arc<Index>) {
    let own = Arc::clone(index);
    readable(engine, "library", &[], move |space: &Space, name| {
        let kind = match space.receiver {
            Receiver::Ctx => Kind::Ctx,
            Receiver::Library | Receiver::Method => Kind::Library,
        };
        let names = own.names(kind, space.name).into_iter();
        let names = names.flat_map(|names| names.keys().copied());
        let fault = match own.find(kind, space.name, name) {
            Some(_) => Fault::new(
                Code::ScriptError,
                format!("{}.{name} is a function", space.shown()),
            )
            .hint(format!("Call it: `{}.{name}(…)`.", space.shown())),
            None => unknown(&space.shown(), name, names),
        };
        Err(raise(fault))
    });
}

/// Returns the names of all properties of host objects.
fn properties(index: &Index) -> Vec<&'static str> {
    let classes = index.places(Kind::Class);
    let functions = classes.filter_map(|class| index.names(Kind::Class, class));
    let functions = functions.flat_map(|names| names.iter());
    let all = functions.filter(|(_, function)| host::is_property(function));
    all.map(|(name, _)| *name).collect()
}

fn objects(engine: &mut Engine, index: &Arc<Index>) {
    let own = Arc::clone(index);
    readable(
        engine,
        "object",
        &properties(index),
        move |held: &Held, name| {
            let class = held.0.0.class();
            match own.find(Kind::Class, class, name) {
                Some(function) if host::is_property(function) => {
                    bind::call(function, Some(Dynamic::from(held.clone())), &mut [], None)
                }
                _ => {
                    let names = own.names(Kind::Class, class).into_iter();
                    let names = names.flat_map(|names| names.keys().copied());
                    Err(raise(unknown(class, name, names)))
                }
            }
        },
    );
    writable::<Held>(engine, &[], |name, _| {
        let message = format!("'{name}' of an object of the server cannot be set");
        Err(raise(Fault::new(Code::ScriptError, message)))
    });
    engine.register_fn("to_string", |held: &mut Held| format!("{:?}", held.0));
    engine.register_fn("to_debug", |held: &mut Held| format!("{:?}", held.0));
    engine.register_fn("==", |one: Held, other: Held| one.0 == other.0);
    engine.register_fn("!=", |one: Held, other: Held| one.0 != other.0);
    readable(
        engine,
        "fault",
        &["message", "code", "status", "hint"],
        |raised: &Raised, name| Ok(to_rhai(&raised.field(name))),
    );
    let message = |raised: &mut Raised| Text::new(raised.0.message()).to_string();
    engine.register_fn("to_string", message);
    engine.register_fn("to_debug", message);
}
