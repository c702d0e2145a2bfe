//! The outline of a script: what a check without running it looks at, the same for every language.

use std::sync::Arc;

/// A stretch of one line; lines and columns count from 1, in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The line; 0 when unknown.
    pub line: u32,
    /// Its first column; 0 when only the line is known.
    pub column: u32,
    /// How many characters it has.
    pub width: u32,
}

/// A name or a text, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// What it says.
    pub text: String,
    /// Where.
    pub span: Span,
}

/// A script.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    /// Its statements.
    pub body: Vec<Node>,
    /// The names that it may use without declaring them; `None` where compiling has checked names.
    pub globals: Option<Vec<String>>,
    /// The functions that any file may call; `None` where these are `globals`, too.
    pub callable: Option<Arc<[Signature]>>,
}

/// A function, as calls see it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signature {
    /// Its name.
    pub name: String,
    /// How many arguments it takes, what it is a method of included; `None` for any number.
    pub count: Option<usize>,
}

/// A value that stands in the source.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// Nothing.
    Nothing,
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

/// A part of a script. What no check asks for is `Other`, with its parts.
#[derive(Clone, Debug)]
pub enum Node {
    /// A variable.
    Name(Word),
    /// A member by a name that stands there: `a.b`, `a["b"]`.
    Member(Box<Self>, Word),
    /// What a module has by a name: `module::name`; with more words, what is in a module of that module.
    Path(Vec<Word>),
    /// A module by its name; `None` when that is computed.
    Module(Option<Word>),
    /// A member by a computed name: `a[b]`.
    Item(Box<Self>, Box<Self>),
    /// A call, also of a method: the receiver is what the callee is a member of.
    Call(Box<Self>, Vec<Self>),
    /// A value.
    Literal(Literal, Span),
    /// Named values; what stands under computed names comes last, without one.
    Map(Vec<(Option<Word>, Self)>, Span),
    /// A list of values.
    List(Vec<Self>),
    /// A function.
    Function(Function),
    /// New variables for what follows in the block, or a name for a module.
    Let(Vec<Word>, Vec<Self>),
    /// An assignment.
    Assign(Vec<Self>, Vec<Self>),
    /// Statements in the block around them.
    Statements(Vec<Self>),
    /// Statements with variables of their own.
    Block(Vec<Self>),
    /// Anything else.
    Other(Vec<Self>),
}

/// A function.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name, where it is declared with one.
    pub name: Option<Word>,
    /// Its parameters.
    pub params: Vec<Word>,
    /// Its statements.
    pub body: Vec<Node>,
    /// Whether others may call it.
    pub access: Access,
}

/// Who may call a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// The file alone.
    Private,
}
