//! The one interpreter of the process: which parts of the language there are, and its limits.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicBlobPackage, BasicFnPackage, BasicIteratorPackage,
    BasicMapPackage, BasicMathPackage, BasicStringPackage, BitFieldPackage, LanguageCorePackage,
    LogicPackage, MoreStringPackage, Package as _,
};
use rhai::{
    AST, Dynamic, Engine, Expr, ImmutableString, LexError, Module, ParseError, Position, Scope,
    Stmt, Token,
};

use crate::base::Signature;
use crate::contract::{HostFn, Receiver};
use crate::script::context::functions;
use crate::script::host;
use crate::script::rhai::bind::{self, Index, Kind};
use crate::script::rhai::module::{self, Resolver};
use crate::script::rhai::object::{Root, Space};
use crate::script::rhai::safe::{self, MAX_MEMBERS, MAX_TEXT};
use crate::script::rhai::service::CTX;
use crate::script::rhai::{closure, context, coverage, diagnostic, fiber, own, parallel};
use crate::script::{Api, Coverage};

/// How deep functions may call each other.
const MAX_CALLS: usize = 64;
/// How deep expressions may be nested, at the top level and in functions.
const MAX_EXPRESSION: usize = 64;
/// The processor time bounds what a call does; this is for the case that nothing else does.
const MAX_OPERATIONS: u64 = 1_000_000_000;

/// What stands for the last value in the texts of a session. It is no sign of the language.
pub(crate) const LAST: &str = "$";

/// The interpreter and what compiling needs.
pub(crate) struct Interpreter {
    /// The interpreter.
    pub(crate) engine: Engine,
    /// The script API.
    pub(crate) index: Arc<Index>,
    /// The names that files may use without declaring them: the libraries.
    known: Scope<'static>,
    /// Host functions that call a closure and keep none.
    takers: Vec<&'static str>,
    /// Where lines that run are noted.
    coverage: Option<Arc<Coverage>>,
    /// The functions that any file may call; asked for by checks only.
    callable: OnceLock<Arc<[Signature]>>,
}

/// How a call enters a function of a file.
pub(crate) struct Entry {
    /// The name under which the file is imported for it.
    pub(crate) file: ImmutableString,
    /// The call.
    pub(crate) call: Expr,
}

/// The name of a file for who enters it.
const FILE: &str = "file";

/// Functions that the interpreter has no list of, for they are part of the language.
const WORDS: &[&str] = &[
    "Fn",
    "call",
    "curry",
    "debug",
    "eval",
    "is_def_fn",
    "is_def_var",
    "is_shared",
    "print",
    "type_of",
];

impl Interpreter {
    /// Makes the interpreter with the script API.
    pub(crate) fn new(api: &Api) -> Self {
        let tables = &api.tables;
        let index = Index::new(tables);
        let mut engine = Engine::new_raw();
        packages(&mut engine);
        limits(&mut engine);
        safe::install(&mut engine);
        safe::watch(&mut engine);
        bind::install(&mut engine, &index);
        context::install(&mut engine, &index, tables);
        module::install(&mut engine);
        parallel::install(&mut engine);
        if let Some(coverage) = &api.coverage {
            coverage::install(&mut engine, coverage);
        }
        engine.set_module_resolver(Resolver);
        let mut known = Scope::new();
        let mut libraries = Module::new();
        for name in index.places(Kind::Library) {
            let space = Space {
                receiver: Receiver::Library,
                name,
            };
            known.push_constant(name, space);
            libraries.set_var(name, Dynamic::from(space));
        }
        engine.register_global_module(Arc::new(libraries));
        Self {
            engine,
            index,
            known,
            takers: takers(tables),
            coverage: api.coverage.clone(),
            callable: OnceLock::new(),
        }
    }

    /// Returns the functions that any file may call.
    pub(crate) fn callable(&self) -> Arc<[Signature]> {
        let gather = || {
            let known = |info: rhai::FuncInfo<'_>| {
                Some(Signature {
                    name: info.metadata.name.to_string(),
                    count: Some(info.metadata.num_params),
                })
            };
            let mut all = self.engine.collect_fn_metadata(None, known, true);
            all.extend(WORDS.iter().map(|word| Signature {
                name: (*word).to_owned(),
                count: None,
            }));
            all.sort();
            all.dedup();
            Arc::from(all)
        };
        Arc::clone(self.callable.get_or_init(gather))
    }

    /// Makes the interpreter of a session, where `_` is the last value: [`LAST`] stands for it in the text.
    pub(crate) fn for_session(api: &Api) -> Self {
        let mut interpreter = Self::new(api);
        stop_compiling(&mut interpreter.engine, |token| match token {
            Token::Reserved(sign) if *sign == LAST => Token::Identifier(Box::new("_".into())),
            token => token,
        });
        interpreter
    }

    /// Compiles a text of a session, in which variables of these names exist.
    pub(crate) fn compile_among(
        &self,
        names: &[String],
        text: &str,
    ) -> Result<AST, closure::Problem> {
        let parsed = self.parse_among(names, text);
        let ast = parsed.map_err(|error| diagnostic::compile(&error, text))?;
        closure::check(&ast, &self.takers)?;
        Ok(ast)
    }

    /// Parses a text of a session.
    pub(crate) fn parse_among(&self, names: &[String], text: &str) -> Result<AST, ParseError> {
        let mut known = self.known.clone();
        for name in names {
            // Its value is not known yet, so no constant may take its place.
            known.push_dynamic(name.as_str(), Dynamic::UNIT);
        }
        self.engine.compile_with_scope(&known, text)
    }

    /// Compiles a text; `path` is what places of errors name.
    pub(crate) fn compile(&self, text: &str, path: &str) -> Result<AST, closure::Problem> {
        let mut ast = self.compiled(text)?;
        closure::check(&ast, &self.takers)?;
        let mut text = Cow::Borrowed(text);
        // Of other files nothing is told, and places of their errors stay exact.
        let told = path.starts_with("scripts/");
        if let Some(coverage) = self.coverage.as_ref().filter(|_| told) {
            let marked = coverage::marked(&ast, &text, |line| coverage.mark(path, line));
            if let Ok(telling) = self.compiled(&marked.text) {
                let lines = marked.lines.iter();
                lines.for_each(|line| coverage.note(path, *line, 0));
                ast = telling;
                text = Cow::Owned(marked.text);
            }
        }
        let mut ast = own::apart(ast, path, || self.compiled(&text))?;
        ast.set_source(path);
        Ok(ast)
    }

    /// Returns how calls enter a function that takes `ctx`; `None` for what is no name of a function.
    pub(crate) fn entry(&self, function: &str) -> Option<Entry> {
        let mut known = self.known.clone();
        known.push(CTX, Root);
        let text = format!("import \"{FILE}\" as {FILE}; {FILE}::{function}({CTX})");
        let ast = self.engine.compile_with_scope(&known, text).ok()?;
        let Some(Stmt::FnCall(call, _)) = ast.statements().last() else {
            return None;
        };
        Some(Entry {
            file: FILE.into(),
            // No place: what happens before the function begins is no frame of the script.
            call: Expr::FnCall(call.clone(), Position::NONE),
        })
    }

    fn compiled(&self, text: &str) -> Result<AST, closure::Problem> {
        let compiled = self.engine.compile_with_scope(&self.known, text);
        compiled.map_err(|error| diagnostic::compile(&error, text))
    }
}

fn takers(tables: &[&'static [HostFn]]) -> Vec<&'static str> {
    let on_ctx = functions(tables, Receiver::Ctx);
    let takers = on_ctx.filter(|function| host::takes_function(function));
    takers
        .map(|function| host::split(function.path).1)
        .collect()
}

fn packages(engine: &mut Engine) {
    LanguageCorePackage::new().register_into_engine(engine);
    ArithmeticPackage::new().register_into_engine(engine);
    BasicStringPackage::new().register_into_engine(engine);
    BasicIteratorPackage::new().register_into_engine(engine);
    BasicFnPackage::new().register_into_engine(engine);
    BitFieldPackage::new().register_into_engine(engine);
    LogicPackage::new().register_into_engine(engine);
    BasicMathPackage::new().register_into_engine(engine);
    BasicArrayPackage::new().register_into_engine(engine);
    BasicBlobPackage::new().register_into_engine(engine);
    BasicMapPackage::new().register_into_engine(engine);
    MoreStringPackage::new().register_into_engine(engine);
}

fn limits(engine: &mut Engine) {
    engine
        .set_max_call_levels(MAX_CALLS)
        .set_max_expr_depths(MAX_EXPRESSION, MAX_EXPRESSION)
        .set_max_operations(MAX_OPERATIONS)
        .set_max_string_size(MAX_TEXT)
        .set_max_array_size(MAX_MEMBERS)
        .set_max_map_size(MAX_MEMBERS)
        .set_max_variables(256)
        .set_max_functions(512)
        .set_max_modules(64)
        .set_strict_variables(true);
    stop_compiling(engine, |token| token);
}

/// Compiling is one call into the engine; its tokens are where it can be stopped.
#[expect(
    deprecated,
    reason = "it is not: the attribute says that it may change"
)]
fn stop_compiling(engine: &mut Engine, read: fn(Token) -> Token) {
    engine.on_parse_token(move |token, position, _| {
        if fiber::step() {
            return own::renamed(read(token), position);
        }
        Token::LexError(Box::new(LexError::ImproperSymbol(
            String::new(),
            "compiling took too long".to_owned(),
        )))
    });
}
