//! `ctx:invoke`: a service calls another one and gets its payload.

use std::rc::Rc;

use crate::base::{Fault, LocalBoxFuture, Value};
use crate::contract::{Arg, Args, Call, Effect, HostCall, HostFn, Receiver, Type};
use crate::script::meter::Meter;
use crate::service;

/// The namespace.
pub(crate) const TABLE: &[HostFn] = &[HostFn {
    path: "invoke",
    receiver: Receiver::Ctx,
    args: &[
        Arg {
            name: "name",
            ty: Type::Text,
            optional: false,
        },
        Arg {
            name: "payload",
            ty: Type::Any,
            optional: true,
        },
    ],
    returns: Type::Any,
    effect: Effect::Write,
    doc: "Calls another service on the same core and returns its payload. Its deadline is the caller's.",
    examples: &[],
    call: HostCall::Wait(invoke),
}];

fn invoke(call: Rc<Call>, mut args: Args) -> LocalBoxFuture<'static, Result<Value, Fault>> {
    Box::pin(async move {
        let name = args.text(0, "name")?;
        let payload = args.take(1);
        call.core.local::<Meter>().give_way().await;
        let answer = service::invoke(&call.core, &call.ctx, &name, payload).await?;
        Ok(answer.value)
    })
}
