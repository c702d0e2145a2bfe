//! Goes through the outline of one file and notes what it uses. Says nothing where it cannot know.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{Fault, Function, Literal, Node, Outline, Span, Use, Word};
use crate::check::api::{Api, Meaning};
use crate::check::functions::{Callee, Functions, ScriptCall};
use crate::contract::HostFn;
use crate::script::context::{not_local, undefined};
use crate::script::host;

/// A service, where one is known to be at work.
pub(crate) type Owner = Option<String>;

/// What a file uses.
#[derive(Default)]
pub(crate) struct Facts {
    /// Names that stand for nothing.
    pub(crate) faults: Vec<(Fault, Span)>,
    /// Connections: by whom, kind and name.
    pub(crate) connections: Vec<(Owner, &'static str, Word)>,
    /// Files of settings.
    pub(crate) settings: Vec<Word>,
    /// What is used of that which a service may declare: by whom, what, and where its name stands.
    pub(crate) uses: Vec<(Owner, Use, Span)>,
    /// Services that are invoked.
    pub(crate) invocations: Vec<Invocation>,
    /// Host functions that are called.
    pub(crate) calls: Vec<HostCall>,
    /// Functions of scripts and of the language that are called, where it can be told whether they are there.
    pub(crate) script_calls: Vec<ScriptCall>,
    /// The functions of the file.
    pub(crate) functions: Functions,
    /// Inputs that are read by name.
    pub(crate) inputs: Vec<(Owner, Word)>,
    /// Outputs that are set by name.
    pub(crate) outputs: Vec<(Owner, Word)>,
    /// Who reads inputs in ways that show no names.
    pub(crate) inputs_elsewhere: BTreeSet<Owner>,
    /// Who sets outputs in ways that show no names.
    pub(crate) outputs_elsewhere: BTreeSet<Owner>,
    /// The services whose function was seen.
    pub(crate) handled: BTreeSet<String>,
    /// Variables that nobody reads.
    pub(crate) unused: Vec<Word>,
    /// Texts, each with the name under which it stands.
    pub(crate) texts: Vec<(Option<String>, Word)>,
}

/// A call of another service.
pub(crate) struct Invocation {
    /// The service.
    pub(crate) service: Word,
    /// What it is given; `None` when that cannot be told.
    pub(crate) payload: Option<Node>,
}

/// A call of a host function.
pub(crate) struct HostCall {
    /// By whom.
    pub(crate) owner: Owner,
    /// The function.
    pub(crate) function: &'static HostFn,
    /// Where its name stands.
    pub(crate) span: Span,
    /// What it gets.
    pub(crate) args: Vec<Node>,
}

struct Variable {
    word: Word,
    meaning: Meaning,
    read: bool,
    /// Whether it is worth telling when nobody reads it.
    watched: bool,
}

struct Walk<'a> {
    api: &'a Api,
    globals: Option<&'a [String]>,
    /// Whether the language tells which functions there are.
    tells_functions: bool,
    /// The modules by the names they go by in the file; `None` when that cannot be told.
    modules: BTreeMap<String, Option<String>>,
    /// The services by the names of their functions.
    handlers: BTreeMap<String, String>,
    scopes: Vec<Vec<Variable>>,
    owner: Owner,
    /// The name under which the value stands that is looked at.
    under: Option<String>,
    facts: Facts,
}

impl Facts {
    /// Notes what an outline uses.
    pub(crate) fn of(api: &Api, outline: &Outline) -> Self {
        let mut handlers = BTreeMap::new();
        for node in &outline.body {
            gather(node, &mut handlers);
        }
        let mut walk = Walk {
            api,
            globals: outline.globals.as_deref(),
            tells_functions: outline.callable.is_some(),
            modules: BTreeMap::new(),
            handlers,
            scopes: Vec::new(),
            owner: None,
            under: None,
            facts: Self {
                functions: Functions::of(outline),
                ..Self::default()
            },
        };
        walk.block(&outline.body);
        walk.facts
    }
}

/// Finds the declarations of services that name their function.
fn gather(node: &Node, handlers: &mut BTreeMap<String, String>) {
    if let Some(pairs) = declared(node) {
        let text = |wanted: &str| {
            pairs.iter().find_map(|(key, value)| match value {
                Node::Literal(Literal::Text(text), _) if named(key.as_ref(), wanted) => {
                    Some(text.clone())
                }
                Node::Name(word) if named(key.as_ref(), wanted) => Some(word.text.clone()),
                _ => None,
            })
        };
        let inline = pairs.iter().any(|(key, value)| {
            named(key.as_ref(), "handle") && matches!(value, Node::Function(_))
        });
        if let (Some(name), false) = (text("name"), inline) {
            let handle = text("handle").unwrap_or_else(|| "handle".to_owned());
            handlers.insert(handle, name);
        }
    }
    match node {
        Node::Call(_, parts)
        | Node::List(parts)
        | Node::Other(parts)
        | Node::Statements(parts)
        | Node::Let(_, parts)
        | Node::Assign(_, parts) => {
            for part in parts {
                gather(part, handlers);
            }
        }
        Node::Map(pairs, _) => {
            for (_, part) in pairs {
                gather(part, handlers);
            }
        }
        _ => {}
    }
}

/// Returns what a service is declared with, if the node declares one.
fn declared(node: &Node) -> Option<&[(Option<Word>, Node)]> {
    let Node::Call(callee, args) = node else {
        return None;
    };
    match (&**callee, args.first()) {
        (Node::Name(word), Some(Node::Map(pairs, _))) if word.text == "service" => Some(pairs),
        _ => None,
    }
}

fn named(key: Option<&Word>, name: &str) -> bool {
    key.is_some_and(|key| key.text == name)
}

impl Walk<'_> {
    fn block(&mut self, nodes: &[Node]) {
        self.scopes.push(Vec::new());
        for node in nodes {
            self.value(node);
        }
        let closed = self.scopes.pop().into_iter().flatten();
        let unread = closed.filter(|it| it.watched && !it.read && !it.word.text.starts_with('_'));
        self.facts.unused.extend(unread.map(|it| it.word));
    }

    /// Looks at a value that goes where it is not followed.
    fn value(&mut self, node: &Node) -> Meaning {
        let meaning = self.meaning(node);
        if matches!(meaning, Meaning::Ctx | Meaning::Request | Meaning::Input) {
            self.facts.inputs_elsewhere.insert(self.owner.clone());
        }
        if matches!(meaning, Meaning::Ctx | Meaning::Response | Meaning::Payload) {
            self.facts.outputs_elsewhere.insert(self.owner.clone());
        }
        meaning
    }

    fn values(&mut self, nodes: &[Node]) {
        for node in nodes {
            self.value(node);
        }
    }

    fn meaning(&mut self, node: &Node) -> Meaning {
        match node {
            Node::Name(word) => return self.look_up(word),
            Node::Path(path) => self.path(path),
            Node::Member(of, name) => {
                self.facts.functions.hold(&name.text);
                let of = self.meaning(of);
                return self.member(of, name);
            }
            Node::Item(of, key) => {
                self.value(of);
                self.value(key);
            }
            Node::Call(callee, args) => return self.call(node, callee, args),
            Node::Literal(Literal::Text(text), span) => {
                self.facts.functions.hold(text);
                let word = Word {
                    text: text.clone(),
                    span: *span,
                };
                self.facts.texts.push((self.under.clone(), word));
            }
            Node::Literal(..) | Node::Module(_) => {}
            Node::Map(pairs, _) => {
                for (key, value) in pairs {
                    if let Some(key) = key {
                        self.facts.functions.hold(&key.text);
                    }
                    self.below(key.as_ref(), |walk| walk.value(value));
                }
            }
            Node::List(parts) | Node::Other(parts) | Node::Statements(parts) => self.values(parts),
            Node::Function(function) => self.function(function),
            Node::Let(names, values) => self.declare(names, values),
            Node::Assign(targets, values) => self.assign(targets, values),
            Node::Block(nodes) => self.block(nodes),
        }
        Meaning::Unknown
    }

    /// Looks at what stands under a name.
    fn below<T>(&mut self, name: Option<&Word>, look: impl FnOnce(&mut Self) -> T) -> T {
        let under = name.map(|name| name.text.clone());
        let before = std::mem::replace(&mut self.under, under);
        let seen = look(self);
        self.under = before;
        seen
    }

    fn look_up(&mut self, word: &Word) -> Meaning {
        if let Some(variable) = self.find(&word.text) {
            variable.read = true;
            return variable.meaning;
        }
        if let Some(library) = self.api.library(&word.text) {
            return library;
        }
        if let Some(globals) = self.globals
            && !globals.contains(&word.text)
        {
            let names = globals.iter().map(String::as_str);
            let locals = self.scopes.iter().flatten();
            let names = names.chain(locals.map(|it| it.word.text.as_str()));
            let fault = undefined(&word.text, names);
            self.facts.faults.push((fault, word.span));
        }
        Meaning::Unknown
    }

    /// Looks at what a module has, or the file: `global::NAME`.
    fn path(&mut self, path: &[Word]) {
        match path {
            [file, name, ..] if file.text == "global" => self.read_of_file(&name.text),
            [module, ..] => drop(self.look_up(module)),
            [] => {}
        }
    }

    /// Notes the call of a function that is no host function.
    fn called(&mut self, callee: &Node, count: usize) {
        let (callee, name) = match callee {
            _ if !self.tells_functions => return,
            Node::Name(name) => {
                let variable = self.find(&name.text).is_some();
                (Callee::File { variable }, name)
            }
            Node::Path(path) => match &**path {
                [module, name] => match self.modules.get(&module.text) {
                    Some(Some(module)) => (Callee::Module(module.clone()), name),
                    _ => return,
                },
                _ => return,
            },
            Node::Member(_, name) => (Callee::Value, name),
            _ => return,
        };
        self.facts.script_calls.push(ScriptCall {
            callee,
            name: name.clone(),
            count,
        });
    }

    /// Notes that a variable of the file is read: Rhai's `global::NAME`.
    fn read_of_file(&mut self, name: &str) {
        let first = self.scopes.first_mut().into_iter().flatten();
        first
            .filter(|it| it.word.text == name)
            .for_each(|it| it.read = true);
    }

    fn find(&mut self, name: &str) -> Option<&mut Variable> {
        let all = self.scopes.iter_mut().rev();
        all.flat_map(|scope| scope.iter_mut().rev())
            .find(|it| it.word.text == name)
    }

    fn member(&mut self, of: Meaning, name: &Word) -> Meaning {
        let owner = self.owner.clone();
        match of {
            Meaning::Input => self.facts.inputs.push((owner, name.clone())),
            Meaning::Payload => self.facts.outputs.push((owner, name.clone())),
            Meaning::Connections(kind) => {
                let used = Use::outgoing(kind, &name.text);
                self.facts.uses.push((owner.clone(), used, name.span));
                self.facts.connections.push((owner, kind, name.clone()));
            }
            Meaning::Config => {
                let used = Use::config(&name.text);
                self.facts.uses.push((owner, used, name.span));
                self.facts.settings.push(name.clone());
            }
            _ => {}
        }
        match self.api.member(of, &name.text) {
            Ok(meaning) => meaning,
            Err(fault) => {
                self.facts.faults.push((fault, name.span));
                Meaning::Unknown
            }
        }
    }

    fn call(&mut self, node: &Node, callee: &Node, args: &[Node]) -> Meaning {
        if let Some(pairs) = declared(node) {
            self.service(pairs);
            return Meaning::Unknown;
        }
        let told = self.facts.faults.len();
        let (called, span) = match callee {
            Node::Member(of, name) => {
                let of = self.meaning(of);
                if matches!(of, Meaning::Input | Meaning::Payload) {
                    // A method of the map itself.
                    self.facts.inputs_elsewhere.insert(self.owner.clone());
                    self.facts.outputs_elsewhere.insert(self.owner.clone());
                    (Meaning::Unknown, name.span)
                } else {
                    (self.member(of, name), name.span)
                }
            }
            other => (self.meaning(other), Span::default()),
        };
        let wrong = self.facts.faults.len() > told;
        self.values(args);
        if wrong {
            // What is called was told already.
            return Meaning::Unknown;
        }
        let Meaning::Function(function) = called else {
            self.called(callee, args.len());
            return Meaning::Unknown;
        };
        self.facts.calls.push(HostCall {
            owner: self.owner.clone(),
            function,
            span,
            args: args.to_vec(),
        });
        match (host::split(function.path), args.first()) {
            (("", "invoke" | "invoke_async"), _) => self.invoked(args),
            // Its argument is where it goes on.
            (("kvdb", "scan"), _) => {}
            (("kvdb", "delete" | "exists" | "mget"), _) => args.iter().for_each(|it| self.key(it)),
            (("kvdb", "mset"), Some(Node::Map(pairs, _))) => {
                for key in pairs.iter().filter_map(|(key, _)| key.as_ref()) {
                    let used = (self.owner.clone(), Use::key(&key.text), key.span);
                    self.facts.uses.push(used);
                }
            }
            (("kvdb", _), Some(key)) => self.key(key),
            _ => {}
        }
        Api::given(function)
    }

    /// Notes the key of a function of `ctx.kvdb`.
    fn key(&mut self, node: &Node) {
        if let Node::Literal(Literal::Text(key), span) = node {
            let used = (self.owner.clone(), Use::key(key), *span);
            self.facts.uses.push(used);
        }
    }

    fn invoked(&mut self, args: &[Node]) {
        if let Some(Node::Literal(Literal::Text(text), span)) = args.first() {
            let used = (self.owner.clone(), Use::service(text), *span);
            self.facts.uses.push(used);
            let payload = match args.get(1) {
                None => Some(Node::Map(Vec::new(), *span)),
                Some(it @ Node::Map(..)) => Some(it.clone()),
                Some(_) => None,
            };
            let service = Word {
                text: text.clone(),
                span: *span,
            };
            let invocation = Invocation { service, payload };
            self.facts.invocations.push(invocation);
        }
    }

    /// Looks at the declaration of a service; what stands in its function belongs to it.
    fn service(&mut self, pairs: &[(Option<Word>, Node)]) {
        let name = pairs.iter().find_map(|(key, value)| match value {
            Node::Literal(Literal::Text(text), _) if named(key.as_ref(), "name") => {
                Some(text.clone())
            }
            _ => None,
        });
        for (key, value) in pairs {
            match (value, &name) {
                (Node::Function(function), Some(name)) if named(key.as_ref(), "handle") => {
                    self.handle(function, name);
                }
                // Declarations of inputs and the like hold words, not values.
                (Node::List(_) | Node::Literal(..), _) => {}
                (value, _) => drop(self.value(value)),
            }
        }
    }

    /// Looks at the function of a service.
    fn handle(&mut self, function: &Function, service: &str) {
        let before = self.owner.replace(service.to_owned());
        self.facts.handled.insert(service.to_owned());
        self.enter(function, true);
        self.owner = before;
    }

    fn function(&mut self, function: &Function) {
        let Some(name) = &function.name else {
            return self.enter(function, false);
        };
        self.variable(name.clone(), Meaning::Unknown, false);
        match self.handlers.get(&name.text).cloned() {
            Some(service) if self.scopes.len() == 1 => self.handle(function, &service),
            _ => self.enter(function, false),
        }
    }

    /// Goes through a function. Whoever is called `ctx` is taken for the context.
    fn enter(&mut self, function: &Function, handles: bool) {
        self.scopes.push(Vec::new());
        for (index, param) in function.params.iter().enumerate() {
            let is_ctx = param.text == "ctx" || (handles && index == 0);
            let meaning = if is_ctx {
                Meaning::Ctx
            } else {
                Meaning::Unknown
            };
            self.variable(param.clone(), meaning, false);
        }
        self.below(None, |walk| walk.block(&function.body));
        self.scopes.pop();
    }

    fn variable(&mut self, word: Word, meaning: Meaning, watched: bool) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(Variable {
                word,
                meaning,
                read: false,
                watched,
            });
        }
    }

    fn declare(&mut self, names: &[Word], values: &[Node]) {
        let mut meanings = Vec::with_capacity(values.len());
        for (index, value) in values.iter().enumerate() {
            meanings.push(self.below(names.get(index), |walk| walk.meaning(value)));
        }
        if let ([name], [Node::Module(module)]) = (names, values) {
            let module = module.as_ref().map(|module| module.text.clone());
            let known = self.modules.entry(name.text.clone());
            let known = known.or_insert_with(|| module.clone());
            if *known != module {
                *known = None;
            }
        }
        for (index, name) in names.iter().enumerate() {
            let meaning = meanings.get(index).copied().unwrap_or(Meaning::Unknown);
            // The variables of a loop, and those of a call with several results, come together.
            let watched = index < values.len() && names.len() == values.len();
            self.variable(name.clone(), meaning, watched);
        }
    }

    fn assign(&mut self, targets: &[Node], values: &[Node]) {
        for (index, value) in values.iter().enumerate() {
            let target = targets.get(index);
            let name = target.and_then(|target| match target {
                Node::Name(name) | Node::Member(_, name) => Some(name),
                _ => None,
            });
            let answers = target.is_some_and(|target| self.is_payload(target));
            match value {
                Node::Map(pairs, _) if answers && pairs.iter().all(|(key, _)| key.is_some()) => {
                    let keys = pairs.iter().filter_map(|(key, _)| key.clone());
                    let owner = self.owner.clone();
                    self.facts
                        .outputs
                        .extend(keys.map(|key| (owner.clone(), key)));
                }
                _ if answers => drop(self.facts.outputs_elsewhere.insert(self.owner.clone())),
                _ => {}
            }
            self.below(name, |walk| walk.value(value));
        }
        for target in targets {
            self.target(target);
        }
    }

    fn target(&mut self, target: &Node) {
        match target {
            Node::Name(word) => {
                if let Some(variable) = self.find(&word.text) {
                    variable.meaning = Meaning::Unknown;
                } else if self.globals.is_some() {
                    self.facts.faults.push((not_local(&word.text), word.span));
                }
            }
            other => drop(self.meaning(other)),
        }
    }

    fn is_payload(&mut self, target: &Node) -> bool {
        let Node::Member(of, name) = target else {
            return false;
        };
        // A look only: what is looked at is noted when the target itself is.
        let response = match &**of {
            Node::Name(word) => {
                let found = self.find(&word.text);
                found.is_some_and(|it| matches!(it.meaning, Meaning::Response))
            }
            Node::Member(of, name) => match &**of {
                Node::Name(word) if name.text == "response" => {
                    let found = self.find(&word.text);
                    found.is_some_and(|it| matches!(it.meaning, Meaning::Ctx))
                }
                _ => false,
            },
            _ => false,
        };
        response && name.text == "payload"
    }
}
