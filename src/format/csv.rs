//! CSV messages: a header row and rows, which are a list of maps of texts, both ways.
//!
//! A service that declares one list of a model gets its rows bound and typed; see `csv_text` for the text.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::{Fault, Inbound, Reply, Value};
use crate::contract::{
    Answer, Declaration, Decoded, Field, Format, FormatMaker, FormatOptions, Ty,
};
use crate::format::{answer, csv_text, media, problem};

/// Makes the format `csv`.
pub(crate) struct CsvFormat;

impl FormatMaker for CsvFormat {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn make(&self, options: &FormatOptions) -> Result<Arc<dyn Format>, Fault> {
        let strict = options.strict;
        Ok(Arc::new(Csv { strict }))
    }
}

struct Csv {
    strict: bool,
}

impl Format for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn decode(&self, inbound: &Inbound) -> Result<Decoded, Fault> {
        media::check(inbound, self.strict, "text/csv", |essence| {
            essence == "text/csv"
        })?;
        let value = Value::List(csv_text::read(&inbound.body)?);
        Ok(Decoded { value, soap: None })
    }

    fn encode(
        &self,
        declaration: &Declaration,
        answer: Answer,
        _inbound: &Inbound,
    ) -> Result<Reply, Fault> {
        if let Some(reply) = answer::as_is(&answer) {
            return reply;
        }
        let body = csv_text::write(&answer.value, &columns(declaration))?;
        answer::reply(&answer, "text/csv; charset=utf-8", Bytes::from(body))
    }

    fn fault(&self, fault: &Fault, inbound: &Inbound) -> Reply {
        problem::problem(fault, inbound)
    }
}

/// Returns the declared columns: the outputs, or the fields of the model that the only output lists.
fn columns(declaration: &Declaration) -> Vec<&str> {
    let outputs = declaration.output.as_deref().unwrap_or_default();
    let fields: &[Field] = match outputs {
        [only] => match &only.ty {
            Ty::List(inner) => match inner.as_ref() {
                Ty::Model(model) => &model.fields,
                _ => outputs,
            },
            _ => outputs,
        },
        _ => outputs,
    };
    fields.iter().map(|field| field.name.as_str()).collect()
}
