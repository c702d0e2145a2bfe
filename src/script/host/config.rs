//! `ctx.config.FILE.KEY`: the scripts' own settings. Languages make the two look-ups look like fields.

use crate::base::{Code, Fault, Use, Value};
use crate::contract::Call;
use crate::script::host::uses;

/// Returns the settings of `config/user/FILE.toml`.
pub(crate) fn file(call: &Call, name: &str) -> Result<Value, Fault> {
    uses::permit(call, &Use::config(name))?;
    call.ctx.ports.settings.file(name).ok_or_else(|| {
        Fault::new(
            Code::ScriptError,
            format!("there are no settings named '{name}'"),
        )
        .hint(format!("Create config/user/{name}.toml."))
    })
}
