//! The seven steps of a message, in order, in one function.

use std::cell::OnceCell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use futures_util::FutureExt as _;

use crate::base::{
    Caller, Code, Ending, Fault, Inbound, Opening, Outcome, Reply, Story, Teller, Value,
};
use crate::contract::{By, Core, Ctx, Entry, RateLimit, Request, SoapInfo};
use crate::gateway::{Gateway, Route};
use crate::service::{Snapshot, call};
use crate::sio;

/// Takes a message through the pipeline. Never fails: a fault leaves as a reply in the channel's own format.
pub(crate) async fn handle(
    gateway: &Gateway,
    core: &Rc<Core>,
    route: &Route,
    inbound: &Inbound,
) -> Outcome {
    let started = Instant::now();
    let teller = OnceCell::new();
    let processing = process(gateway, core, route, inbound, started, &teller);
    let running = AssertUnwindSafe(processing).catch_unwind();
    let result = running.await.unwrap_or_else(|_panic| {
        Err(
            Fault::new(Code::Internal, "the message could not be handled")
                .detail("panic in the pipeline"),
        )
    });
    let (reply, fault) = match result {
        Ok(reply) => (reply, None),
        Err(fault) => {
            let fault = complete(gateway, route, inbound, fault);
            log(route, inbound, &fault);
            let fault = if gateway.open && fault.status() >= 500 {
                fault.open()
            } else {
                fault
            };
            (route.plan.format.fault(&fault, inbound), Some(fault))
        }
    };
    if let Some(teller) = teller.get() {
        teller.end(reply.status, fault.as_ref());
    }
    route
        .stats
        .count(Ending::of_status(reply.status), started.elapsed());
    Outcome { reply, fault }
}

async fn process(
    gateway: &Gateway,
    core: &Rc<Core>,
    route: &Route,
    inbound: &Inbound,
    started: Instant,
    teller: &OnceCell<Teller>,
) -> Result<Reply, Fault> {
    let plan = &*route.plan;
    admit(route, inbound, None, started)?;
    let caller = match &plan.guard {
        Some(guard) => guard.check(inbound, &gateway.ports).decided().await?,
        None => Caller::default(),
    };
    admit(route, inbound, Some(&caller), started)?;
    let services = gateway.registry.load();
    let entry = services.at(route.slot).ok_or_else(|| route.gone())?;
    let entry = Arc::clone(entry);
    let declaration = entry.service.declaration();
    let decoded = plan.format.decode(inbound)?;
    let input = sio::bind(declaration, decoded.value, &inbound.meta.params)?;
    if let Some(stories) = &gateway.stories {
        let opening = opening(gateway, route, inbound, &entry, &input);
        teller.get_or_init(|| stories.begin(opening));
    }
    let story = teller.get().map(|teller| Arc::clone(teller.story()));
    let ctx = context(
        gateway,
        route,
        inbound,
        (caller, services, decoded.soap, started, story),
    );
    let answer = sio::check_answer(declaration, call(core, ctx, &entry, input).await?)?;
    let reply = plan.format.encode(declaration, answer, inbound)?;
    if reply.body.len() > gateway.limits.output {
        let limit = gateway.limits.output;
        return Err(Fault::new(
            Code::OutputTooLarge,
            format!("the answer is longer than {limit} bytes"),
        ));
    }
    Ok(reply)
}

/// Counts the message against the channel's limit: those by address or channel before the guard, so that a
/// refused flood costs no hashing; those by caller after it.
fn admit(
    route: &Route,
    inbound: &Inbound,
    caller: Option<&Caller>,
    now: Instant,
) -> Result<(), Fault> {
    let (Some(limiter), Some(RateLimit { by, .. })) = (&route.limiter, &route.plan.rate_limit)
    else {
        return Ok(());
    };
    match (by, caller) {
        (By::Security, Some(caller)) => limiter.admit(&caller.name, now),
        (By::Channel, None) => limiter.admit("", now),
        (By::Address, None) => {
            let address = inbound
                .meta
                .peer
                .map(|peer| peer.ip().to_string())
                .unwrap_or_default();
            limiter.admit(&address, now)
        }
        _ => Ok(()),
    }
}

fn opening(
    gateway: &Gateway,
    route: &Route,
    inbound: &Inbound,
    entry: &Entry,
    input: &Value,
) -> Opening {
    let (name, format) = (&route.info.name, route.info.format);
    let declaration = entry.service.declaration();
    Opening {
        cid: inbound.cid.clone(),
        service: declaration.name.clone(),
        place: declaration.place.clone(),
        revision: entry.revision,
        way: format!("channel {name} ({format})"),
        at: gateway.ports.clock.now(),
        input: sio::masked(input, declaration).to_string(),
    }
}

type Parts = (
    Caller,
    Arc<Snapshot>,
    Option<SoapInfo>,
    Instant,
    Option<Arc<Story>>,
);

fn context(gateway: &Gateway, route: &Route, inbound: &Inbound, parts: Parts) -> Ctx {
    let (caller, services, soap, started, story) = parts;
    let request = Request {
        raw: inbound.body.clone(),
        meta: Arc::clone(&inbound.meta),
        soap,
        under_way: AtomicUsize::new(0),
        read_only: false,
        story,
    };
    Ctx {
        cid: inbound.cid.clone(),
        caller: Arc::new(caller),
        channel: Some(Arc::clone(&route.info)),
        job: None,
        request: Arc::new(request),
        deadline: started + std::time::Duration::from(route.plan.timeout),
        depth: 0,
        limits: gateway.limits,
        ports: Arc::clone(&gateway.ports),
        services,
    }
}

/// Adds the call to a fault of a script, for those who read the log. The input was handed over, so it is read again.
fn complete(gateway: &Gateway, route: &Route, inbound: &Inbound, fault: Fault) -> Fault {
    if fault.status() < 500 || fault.place().is_none() {
        return fault;
    }
    let services = gateway.registry.load();
    let input = services.at(route.slot).and_then(|entry| {
        let declaration = entry.service.declaration();
        let decoded = route.plan.format.decode(inbound).ok()?;
        let bound = sio::bind(declaration, decoded.value, &inbound.meta.params).ok()?;
        Some(sio::masked(&bound, declaration).to_string())
    });
    fault.during(&inbound.cid, input)
}

/// Logs a fault once, where it is settled: ours as errors, the caller's for debugging.
fn log(route: &Route, inbound: &Inbound, fault: &Fault) {
    let (cid, channel, service) = (&inbound.cid, &route.plan.name, &route.plan.service);
    let (code, detail) = (fault.code_text(), fault.detail_text());
    if fault.status() < 500 {
        tracing::debug!(%cid, %channel, %service, code, error = fault.message(), detail, "Message refused.");
    } else {
        let diagnostic = fault.block();
        tracing::error!(%cid, %channel, %service, code, error = fault.message(), detail, diagnostic, "Message failed.");
    }
}
