//! What scripts hold as userdata: exact numbers, host objects, caught faults. All are immutable.

use mlua::{MetaMethod, UserData, UserDataFields, UserDataMethods};
use rust_decimal::Decimal;

use crate::base::{Fault, Handle, Value, with_article};
use crate::script::host::exact;
use crate::script::lua::bridge::script_error;
use crate::sio;

/// A number that a double cannot hold: a decimal, or an integer above `i64::MAX`.
#[derive(Clone)]
pub(crate) struct Exact(pub(crate) Value);

/// A host object; its methods are the host functions of its class (`bind` registers them).
#[derive(Clone)]
pub(crate) struct Held(pub(crate) Handle);

/// A fault that a script caught. It can be shown, read and raised again.
#[derive(Clone)]
pub(crate) struct Raised(pub(crate) Fault);

/// A null that stands in a list; each VM has one, so that `==` finds it.
pub(crate) struct JsonNull;

// Errors of Luau call userdata by the name of its type.

impl UserData for JsonNull {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "json.null");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::ToString, |_, _, ()| Ok("null"));
    }
}

impl Exact {
    /// Returns it as a decimal.
    fn decimal(&self) -> Decimal {
        match &self.0 {
            Value::Decimal(number) => *number,
            Value::Uint(number) => Decimal::from(*number),
            _ => Decimal::ZERO,
        }
    }

    fn show(&self) -> String {
        self.0.to_text().unwrap_or_default().to_string()
    }
}

impl UserData for Exact {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "decimal");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(this.show()));
        methods.add_meta_function(MetaMethod::Concat, |_, pair: (mlua::Value, mlua::Value)| {
            Ok([shown(&pair.0)?, shown(&pair.1)?].concat())
        });
        arithmetic(methods, MetaMethod::Add, "+", exact::sum);
        arithmetic(methods, MetaMethod::Sub, "-", exact::difference);
        arithmetic(methods, MetaMethod::Mul, "*", exact::product);
        arithmetic(methods, MetaMethod::Div, "/", exact::quotient);
        arithmetic(methods, MetaMethod::Mod, "%", exact::remainder);
        methods.add_meta_method(MetaMethod::Unm, |_, this, ()| {
            Ok(Self(Value::Decimal(-this.decimal())))
        });
        comparison(methods, MetaMethod::Eq, |a, b| a == b);
        comparison(methods, MetaMethod::Lt, |a, b| a < b);
        comparison(methods, MetaMethod::Le, |a, b| a <= b);
    }
}

type Operation = fn(Decimal, Decimal) -> Option<Decimal>;

fn arithmetic<M: UserDataMethods<Exact>>(
    methods: &mut M,
    name: MetaMethod,
    sign: &'static str,
    operation: Operation,
) {
    methods.add_meta_function(name, move |_, pair: (mlua::Value, mlua::Value)| {
        let (left, right) = (operand(&pair.0)?, operand(&pair.1)?);
        let result = operation(left, right).ok_or_else(|| {
            script_error(format!(
                "decimal: {left} {sign} {right} has no exact result"
            ))
        })?;
        Ok(Exact(Value::Decimal(result)))
    });
}

fn comparison<M: UserDataMethods<Exact>>(
    methods: &mut M,
    name: MetaMethod,
    holds: fn(Decimal, Decimal) -> bool,
) {
    methods.add_meta_function(name, move |_, pair: (mlua::Value, mlua::Value)| {
        Ok(holds(operand(&pair.0)?, operand(&pair.1)?))
    });
}

/// Reads an operand: a decimal, a number, or a text that is one.
fn operand(value: &mlua::Value) -> mlua::Result<Decimal> {
    let number = match value {
        mlua::Value::UserData(data) => data.borrow::<Exact>().ok().map(|exact| exact.decimal()),
        mlua::Value::Integer(number) => Some(Decimal::from(*number)),
        // The shortest text of a double is what its author wrote: 0.1, not 0.1000000000000000055.
        mlua::Value::Number(number) => sio::decimal_of_float(*number),
        mlua::Value::String(text) => text.to_str().ok().and_then(|text| sio::decimal_of(&text)),
        _ => None,
    };
    number.ok_or_else(|| {
        let kind = with_article(value.type_name());
        script_error(format!("a decimal cannot be used with {kind}"))
    })
}

/// Returns an operand of `..` as text.
fn shown(value: &mlua::Value) -> mlua::Result<String> {
    match value {
        mlua::Value::String(text) => Ok(text.to_string_lossy()),
        mlua::Value::Integer(number) => Ok(number.to_string()),
        mlua::Value::Number(number) => Ok(number.to_string()),
        mlua::Value::UserData(data) => data
            .borrow::<Exact>()
            .map(|exact| exact.show())
            .or_else(|_other| data.borrow::<Raised>().map(|raised| raised.show())),
        other => {
            let kind = with_article(other.type_name());
            Err(script_error(format!("attempt to concatenate {kind}")))
        }
    }
}

impl Raised {
    fn show(&self) -> String {
        self.0.message().to_owned()
    }
}

impl UserData for Raised {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "error");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(this.show()));
        methods.add_meta_function(MetaMethod::Concat, |_, pair: (mlua::Value, mlua::Value)| {
            Ok([shown(&pair.0)?, shown(&pair.1)?].concat())
        });
        methods.add_meta_method(MetaMethod::Index, |lua, this, name: mlua::LuaString| {
            let fault = &this.0;
            let text = |text: &str| lua.create_string(text).map(mlua::Value::String);
            match name.to_string_lossy().as_str() {
                "message" => text(fault.message()),
                "code" => text(fault.code_text()),
                "status" => Ok(mlua::Value::Integer(fault.status().into())),
                "hint" => fault.hint_text().map_or(Ok(mlua::Value::Nil), text),
                _ => Ok(mlua::Value::Nil),
            }
        });
    }
}
