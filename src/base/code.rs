//! Every error code, its status and its exit code. Each has a page in `docs/errors/`.

use std::fmt;

/// The exit code of the command line that an error leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Unexpected.
    Unexpected = 1,
    /// Used wrongly.
    Usage = 2,
    /// A difference was found when asked to fail on it.
    Difference = 3,
    /// Validation, compilation or a test failed.
    Invalid = 4,
    /// Not found.
    NotFound = 5,
    /// Someone changed it meanwhile.
    Conflict = 6,
    /// The server cannot be reached.
    Unreachable = 7,
    /// Not allowed.
    Forbidden = 8,
    /// Timed out.
    TimedOut = 9,
    /// Done in part.
    Partial = 10,
}

macro_rules! codes {
    ($($variant:ident = $code:literal, $status:literal, $exit:ident, $title:literal;)*) => {
        /// A stable error code; `docs/errors/X000.md` explains it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $title] $variant,)*
        }

        impl Code {
            /// All codes, in the order of their letters.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Returns the code as people write it, such as `KL-I101`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => concat!("KL-", $code),)* }
            }

            /// Returns the HTTP status it leads to.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// Returns the exit code it leads to.
            pub const fn exit(self) -> Exit {
                match self { $(Self::$variant => Exit::$exit,)* }
            }

            /// Returns the page that explains it, in Markdown.
            pub const fn page(self) -> &'static str {
                match self { $(Self::$variant => include_str!(concat!("../../docs/errors/", $code, ".md")),)* }
            }

            /// Returns the short title for people.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    // A: who may
    Unauthorized        = "A401", 401, Forbidden,   "Not authenticated";
    InvalidSecurity     = "A402", 401, Forbidden,   "Security header not accepted";
    Forbidden           = "A403", 403, Forbidden,   "Not allowed";
    GuardUnavailable    = "A503", 503, Unexpected,  "Security definition not usable";
    // C: configuration
    ConfigSyntax        = "C100", 400, Invalid,     "Configuration cannot be read";
    ConfigUnknownKey    = "C101", 400, Invalid,     "Unknown key";
    ConfigType          = "C102", 400, Invalid,     "Wrong kind of value";
    ConfigMissing       = "C103", 400, Invalid,     "Missing key";
    ConfigDuplicate     = "C104", 400, Invalid,     "Defined twice";
    ConfigReference     = "C105", 400, Invalid,     "Refers to something that does not exist";
    ConfigConstraint    = "C106", 400, Invalid,     "Value not acceptable";
    ConfigEnvironment   = "C207", 400, Invalid,     "Environment variable not set";
    ConfigDemo          = "C210", 400, Forbidden,   "Demo credentials outside dev";
    ConfigStale         = "C409", 409, Conflict,    "The configuration changed meanwhile";
    // D: deployment and declarations
    DeployFailed        = "D100", 400, Invalid,     "Deployment refused";
    DuplicateService    = "D101", 400, Invalid,     "Service defined in two files";
    BadPackage          = "D102", 400, Invalid,     "Package cannot be unpacked";
    BadSource           = "D103", 400, Invalid,     "Source cannot be read";
    BadDeclaration      = "D104", 400, Invalid,     "Declaration not understood";
    BadSourceList       = "D105", 400, Invalid,     "Bad line in service-sources.txt";
    UnknownRevision     = "D404", 404, NotFound,    "No such revision";
    // H: the way in over HTTP
    BadRequest          = "H400", 400, Invalid,     "Request not understood";
    NoChannel           = "H404", 404, NotFound,    "No channel at this path";
    WrongMethod         = "H405", 405, Invalid,     "Method not allowed";
    RequestTimeout      = "H408", 408, TimedOut,    "Request came too slowly";
    ChannelDisabled     = "H410", 404, NotFound,    "Channel is disabled";
    BodyTooLarge        = "H413", 413, Invalid,     "Body too large";
    UriTooLong          = "H414", 414, Invalid,     "Address too long";
    MediaType           = "H415", 415, Invalid,     "Media type not accepted";
    HeadersTooLarge     = "H431", 431, Invalid,     "Headers too large";
    Overloaded          = "H503", 503, Unexpected,  "Too many requests or connections";
    // I: the message itself
    Malformed           = "I100", 400, Invalid,     "Message not well-formed";
    InputType           = "I101", 400, Invalid,     "Wrong type";
    InputMissing        = "I102", 400, Invalid,     "Required input missing";
    InputConstraint     = "I103", 400, Invalid,     "Value not acceptable";
    InputRejected       = "I104", 400, Invalid,     "Input not acceptable";
    Doctype             = "I106", 400, Invalid,     "DOCTYPE not accepted";
    TooDeep             = "I107", 400, Invalid,     "Nested too deep or too many parts";
    DuplicateKey        = "I108", 400, Invalid,     "Name given twice";
    NotSoap             = "I110", 400, Invalid,     "Not a SOAP message";
    SoapVersion         = "I111", 500, Invalid,     "SOAP version not supported";
    MustUnderstand      = "I112", 500, Invalid,     "SOAP header not understood";
    SoapAction          = "I113", 400, Invalid,     "Unknown SOAP operation";
    // J: jobs
    BadSchedule         = "J100", 400, Invalid,     "Schedule not understood";
    UnknownJob          = "J404", 404, NotFound,    "No such job";
    JobBusy             = "J409", 409, Conflict,    "Job is running already";
    // K: key/value store
    KeyCommand          = "K100", 500, Invalid,     "Key/value command not understood";
    KeyType             = "K101", 500, Invalid,     "Key holds another kind of value";
    KeyLimit            = "K102", 500, Invalid,     "Key or value too large";
    KeyStoreDown        = "K201", 503, Unexpected,  "Key/value store cannot be reached";
    KeyStoreFull        = "K202", 503, Unexpected,  "Key/value store is full";
    // L: limits
    RateLimited         = "L429", 429, Forbidden,   "Rate limit reached";
    // N: processes and networks
    PortBusy            = "N001", 500, Conflict,    "Port in use";
    DataLocked          = "N002", 500, Conflict,    "Data directory in use";
    ServerUnreachable   = "N003", 503, Unreachable, "Server cannot be reached";
    BadToken            = "N004", 401, Forbidden,   "Token refused";
    Certificate         = "N005", 500, Invalid,     "Certificate cannot be used";
    WaitTimeout         = "N009", 504, TimedOut,    "Gave up waiting";
    // O: the way out
    OutgoingFailed      = "O101", 502, Unexpected,  "Outgoing call failed";
    OutgoingTimeout     = "O102", 504, TimedOut,    "Outgoing call timed out";
    OutgoingArgument    = "O103", 500, Invalid,     "Outgoing call not acceptable";
    OutgoingTooLarge    = "O104", 502, Unexpected,  "Answer of the peer too large";
    OutgoingDisabled    = "O105", 503, Unexpected,  "Connection is disabled";
    UnknownConnection   = "O404", 500, NotFound,    "No such connection";
    // P: admin API
    BadArguments        = "P400", 400, Usage,       "Arguments not understood";
    UnknownOperation    = "P404", 404, NotFound,    "No such operation";
    UnknownObject       = "P405", 404, NotFound,    "No such object";
    // R: what a review of scripts finds
    UnusedInput         = "R101", 400, Invalid,     "Input without use";
    UnsetOutput         = "R102", 400, Invalid,     "Output never set";
    UndeclaredInput     = "R103", 400, Invalid,     "Input not declared";
    UnusedVariable      = "R104", 400, Invalid,     "Variable without use";
    SecretInSource      = "R201", 400, Invalid,     "Secret in a script";
    NoTimeout           = "R202", 400, Invalid,     "Connection without a timeout";
    TimeoutTooShort     = "R203", 400, Invalid,     "Timeout shorter than what is waited for";
    // S: scripts
    ScriptCompile       = "S100", 400, Invalid,     "Script does not compile";
    ScriptError         = "S101", 500, Unexpected,  "Script failed";
    ScriptArgument      = "S102", 500, Unexpected,  "Wrong argument to a host function";
    ScriptModule        = "S103", 400, Invalid,     "Module cannot be loaded";
    OutputRejected      = "S110", 500, Unexpected,  "Output does not fit the declaration";
    ScriptFailed        = "S200", 500, Unexpected,  "Service reported a failure";
    CpuBudget           = "S301", 504, TimedOut,    "CPU budget spent";
    WallBudget          = "S302", 504, TimedOut,    "Deadline passed";
    MemoryBudget        = "S303", 500, Unexpected,  "Memory limit reached";
    OutputTooLarge      = "S304", 500, Unexpected,  "Output too large";
    TooNested           = "S305", 500, Unexpected,  "Services invoke each other too deep";
    TooManyCalls        = "S306", 500, Unexpected,  "Too many outgoing calls";
    UndeclaredUse       = "S403", 500, Forbidden,   "Use not declared";
    UnknownService      = "S404", 404, NotFound,    "No such service";
    ReadOnly            = "S405", 500, Forbidden,   "Call may only read";
    ServiceGone         = "S503", 503, Unexpected,  "Service not available";
    // T: tests
    TestFailed          = "T100", 500, Invalid,     "Test failed";
    NotMocked           = "T101", 500, Invalid,     "Call not mocked";
    NoTests             = "T404", 404, NotFound,    "No tests found";
    // X: ourselves
    Storage             = "X100", 503, Unexpected,  "Storage failed";
    Internal            = "X500", 500, Unexpected,  "Unexpected failure";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
