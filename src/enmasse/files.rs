//! The files of a project's configuration: which there are, and what they say together.

use std::path::Path;
use std::sync::Arc;

use crate::base::{Code, Fault, Faults, Place};
use crate::contract::AnyKind;
use crate::enmasse::extract::extract;
use crate::enmasse::node::Node;
use crate::enmasse::source::{SourceText, Sources, Spot};
use crate::enmasse::validate::{Against, MAX_FAULTS, inspect};
use crate::enmasse::wanted::WantedSet;
use crate::enmasse::{overlay, yaml};

const ENDINGS: &[&str] = &["yaml", "yml", "json"];

/// The texts of a configuration, in the order they are joined.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    /// `config/objects.yaml`, then `config/objects.d/*` by name.
    pub(crate) base: Vec<SourceText>,
    /// What is laid over them, such as `config/objects.dev.yaml`.
    pub(crate) overlays: Vec<SourceText>,
}

impl Files {
    /// Reads the files of a project; `overlay` is `dev` for `config/objects.dev.yaml`.
    ///
    /// A project without any has no objects. Files that cannot be read are all named at once.
    pub(crate) fn read(project: &Path, overlay: Option<&str>) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let mut paths = one_of(project, "config/objects");
        paths.extend(folder(project, &mut faults));
        let overlays = overlay.map_or_else(Vec::new, |name| {
            one_of(project, &format!("config/objects.{name}"))
        });
        let mut load = |paths: Vec<String>| {
            let texts = paths.into_iter().map(|path| read_text(project, &path));
            texts
                .filter_map(|text| text.map_err(|fault| faults.push(fault)).ok())
                .collect::<Vec<_>>()
        };
        let files = Self {
            base: load(paths),
            overlays: load(overlays),
        };
        faults.into_result().map(|()| files)
    }
}

/// Reads and checks a configuration; returns it with its warnings, or every problem there is.
pub(crate) fn load(
    files: &Files,
    against: &Against<'_>,
) -> Result<(WantedSet, Vec<Fault>), Faults> {
    let (mut set, faults) = parse(files, against.kinds)?;
    let mut found = inspect(&mut set, against);
    found.faults.extend(faults.0);
    found.faults.sort_by_key(|fault| position(fault, files));
    found.into_result().map(|warnings| (set, warnings))
}

/// Takes the objects out of the texts. `Err` when a text could not be read to its end: what it
/// would have defined is unknown then, and nothing more can be said.
fn parse(files: &Files, kinds: &[&dyn AnyKind]) -> Result<(WantedSet, Faults), Faults> {
    let mut problems: Vec<(Fault, Spot)> = Vec::new();
    let mut sources = Sources::default();
    let mut broken = false;
    let mut read = |texts: &[SourceText], problems: &mut Vec<(Fault, Spot)>| {
        let mut roots = Vec::new();
        for source in texts {
            sources.add(source.clone());
            let document = yaml::read(&source.path, &source.text);
            problems.extend(document.problems);
            broken |= document.root.is_none();
            roots.extend(document.root);
        }
        roots
    };
    let base = read(&files.base, &mut problems);
    let overlays = read(&files.overlays, &mut problems);
    let located = |problems: Vec<(Fault, Spot)>, sources: &Sources| {
        let faults = problems
            .into_iter()
            .take(MAX_FAULTS)
            .map(|(fault, spot)| sources.locate(fault, &spot));
        Faults(faults.collect())
    };
    if broken {
        return Err(located(problems, &sources));
    }
    let Some(root) = together(base, overlays, &mut problems) else {
        return Ok((WantedSet::default(), Faults::default()));
    };
    let mut set = extract(&root, kinds, &mut problems);
    let faults = located(problems, &sources);
    set.sources = sources;
    Ok((set, faults))
}

fn together(
    base: Vec<Node>,
    overlays: Vec<Node>,
    problems: &mut Vec<(Fault, Spot)>,
) -> Option<Node> {
    let mut whole: Option<Node> = None;
    for next in base {
        match &mut whole {
            None => whole = Some(next),
            Some(whole) => overlay::join(whole, next, problems),
        }
    }
    for over in overlays {
        match &mut whole {
            None => whole = Some(over),
            Some(whole) => overlay::lay_over(whole, over),
        }
    }
    whole
}

/// Orders faults as a reader meets them: by file, line and column.
fn position(fault: &Fault, files: &Files) -> (usize, u32, u32) {
    let Some(place) = fault.place() else {
        return (usize::MAX, 0, 0);
    };
    let mut texts = files.base.iter().chain(&files.overlays);
    let file = texts.position(|text| text.path == place.path);
    (file.unwrap_or(usize::MAX), place.line, place.column)
}

/// Returns the files of a stem. With two endings both are read, and what they both define is a
/// fault.
fn one_of(project: &Path, stem: &str) -> Vec<String> {
    let paths = ENDINGS.iter().map(|ending| format!("{stem}.{ending}"));
    paths.filter(|path| project.join(path).is_file()).collect()
}

fn folder(project: &Path, faults: &mut Faults) -> Vec<String> {
    const FOLDER: &str = "config/objects.d";
    let entries = match std::fs::read_dir(project.join(FOLDER)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            faults.push(unreadable(FOLDER, &error));
            return Vec::new();
        }
    };
    let names = entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().into_string().ok());
    let wanted = |name: &String| {
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        ENDINGS.contains(&ending) && !name.starts_with('.')
    };
    let mut paths: Vec<_> = names
        .filter(wanted)
        .map(|name| format!("{FOLDER}/{name}"))
        .collect();
    paths.sort();
    paths
}

fn read_text(project: &Path, path: &str) -> Result<SourceText, Fault> {
    let full = project.join(path);
    let metadata = full.metadata().map_err(|error| unreadable(path, &error))?;
    if !metadata.is_file() {
        let message = format!("{path} is not a file");
        return Err(Fault::new(Code::ConfigSyntax, message).at(Place::new(path, 0, 0)));
    }
    if metadata.len() > yaml::MAX_BYTES as u64 {
        let message = format!("{path} is longer than {} bytes", yaml::MAX_BYTES);
        return Err(Fault::new(Code::ConfigSyntax, message).at(Place::new(path, 0, 0)));
    }
    let bytes = std::fs::read(&full).map_err(|error| unreadable(path, &error))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..valid).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').count();
        Fault::new(Code::ConfigSyntax, format!("{path} is not UTF-8"))
            .at(Place::new(path, u32::try_from(line).unwrap_or(0), 0))
            .hint("Save it as UTF-8.")
    })?;
    let text = text
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(text);
    let path: Arc<str> = path.into();
    Ok(SourceText { path, text })
}

fn unreadable(path: &str, error: &std::io::Error) -> Fault {
    Fault::new(
        Code::ConfigSyntax,
        format!("{path} cannot be read: {error}"),
    )
    .at(Place::new(path, 0, 0))
}
