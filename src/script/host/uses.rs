//! What a script uses by calling a host function, and whether its service declares that it may.
//!
//! The table of host functions says it: a method of a connection uses that connection, `kvdb.…` the keys among its
//! arguments, `invoke` a service. Nobody else decides; a function that reaches further is found by the test below.

use bytes::Bytes;

use crate::base::{Code, FAMILIES, Fault, Use, Value, closest};
use crate::contract::{Args, Call, Declaration, Effect, HostFn, Receiver};
use crate::script::host::{kvdb, outgoing, split};

/// Refuses what the service of a call does not declare; one without a list may use everything.
pub(crate) fn permit(call: &Call, used: &Use) -> Result<(), Fault> {
    refusal(&call.service, used).map_or(Ok(()), Err)
}

/// Returns why a service may not use something, if it may not.
pub(crate) fn refusal(service: &Declaration, used: &Use) -> Option<Fault> {
    let granted = service.uses.as_ref()?;
    if granted.allows(used) {
        return None;
    }
    let name = &service.name;
    let message = format!("service '{name}' does not declare that it uses '{used}'");
    Some(Fault::new(Code::UndeclaredUse, message).hint(format!(
        "Add \"{used}\" to the list `uses` of the service; a `*` in it stands for any text."
    )))
}

/// Checks all that a host function uses.
pub(super) fn permit_all(call: &Call, function: &HostFn, args: &Args) -> Result<(), Fault> {
    if call.service.uses.is_none() {
        return Ok(());
    }
    let used = of(function, args)?;
    used.iter().try_for_each(|used| permit(call, used))
}

/// Returns what a host function uses with these arguments.
pub(crate) fn of(function: &HostFn, args: &Args) -> Result<Vec<Use>, Fault> {
    let (space, name) = split(function.path);
    if function.receiver == Receiver::Method {
        let connection = match (function.effect, args.get(0)) {
            (Effect::Network, Some(Value::Handle(handle))) => Some(handle),
            _ => None,
        };
        let kind = space.strip_prefix("outgoing.").unwrap_or(space);
        let used =
            connection.map(|handle| Use::outgoing(kind, handle.0.name().unwrap_or_default()));
        return Ok(used.into_iter().collect());
    }
    match (space, name) {
        ("kvdb", "scan") => Ok(vec![Use::keys(&kvdb::scanned(args)?)]),
        ("kvdb", _) => Ok(kvdb::keys(function, args)?.iter().map(key).collect()),
        ("", "invoke") => Ok(vec![Use::service(&args.clone().text(0, "name")?)]),
        _ => Ok(Vec::new()),
    }
}

/// A key that is no text fits no entry but `*`: what replaces its bytes may not stand in one.
fn key(bytes: &Bytes) -> Use {
    Use::key(&String::from_utf8_lossy(bytes))
}

/// Returns the entries of a declaration that name a kind of connections which does not exist.
pub(crate) fn unknown_kinds(tables: &[&'static [HostFn]], declaration: &Declaration) -> Vec<Fault> {
    let kinds: Vec<String> = outgoing::kinds(tables, outgoing::CONNECTIONS)
        .into_iter()
        .map(|kind| format!("outgoing.{kind}"))
        .collect();
    let known = |family: &str| FAMILIES.contains(&family) || kinds.iter().any(|it| it == family);
    let grants = declaration.uses.iter().flat_map(|uses| &uses.grants);
    let strange = grants.filter(|grant| !known(&grant.family));
    let faults = strange.map(|grant| {
        let (family, pattern) = (&grant.family, &grant.pattern);
        let message = format!("'{family}:{pattern}' in `uses` has an unknown family");
        let fault = Fault::new(Code::BadDeclaration, message);
        match closest(family, kinds.iter().map(String::as_str)) {
            Some(near) => fault.hint(format!("Did you mean `{near}:{pattern}`?")),
            None => fault.hint(format!("The kinds are {}.", kinds.join(", "))),
        }
    });
    faults.collect()
}
