//! When a job fires: the pure part, from one moment to the next.
//!
//! The rule where clocks change (it holds for `cron` and for local moments of `at` and `anchor`): a fire time in
//! the skipped hour comes once, at the first moment after it; one in the repeated hour comes once, the
//! first time. A cron whose hour field has a `*` follows the clock instead: it fires in both passes of a
//! repeated hour, and what falls into a skipped hour is not made up for. `every` knows no clocks at all.

use chrono::{
    DateTime, FixedOffset, LocalResult, NaiveDateTime, Offset as _, TimeDelta, TimeZone as _, Utc,
};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use crate::base::{Code, Fault, Faults, Millis, closest};
use crate::schedule::JobSpec;

/// The longest step that clocks make, but for days that islands dropped when they crossed the date line.
const LONGEST_CHANGE: TimeDelta = TimeDelta::hours(3);

/// Names for crons.
const NICKNAMES: &[(&str, &str)] = &[
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// How people write a local moment.
const LOCAL: &[&str] = &[
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S",
];

/// When a job fires.
#[derive(Clone, Debug)]
pub(crate) struct Timetable {
    zone: Tz,
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    At(DateTime<Utc>),
    Every {
        step: i64,
        anchor: i64,
    },
    Cron {
        cron: Box<Cron>,
        /// Whether its hours are named, so that each comes once a day whatever the clocks do.
        fixed: bool,
    },
}

impl Timetable {
    /// Reads the timetable of a job; reports all that is wrong with it.
    pub(crate) fn parse(spec: &JobSpec) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        check_choice(spec, &mut faults);
        let zone = zone(&spec.timezone).unwrap_or_else(|fault| {
            faults.push(fault);
            Tz::UTC
        });
        let mut take = |rule: Result<Rule, Fault>| rule.map_err(|fault| faults.push(fault)).ok();
        let at = spec.at.as_deref().map(|text| {
            let moment = local_moment("at", text, zone)?;
            Ok(Rule::At(moment))
        });
        let every = spec
            .every
            .map(|step| every(step, spec.anchor.as_deref(), zone));
        let cron = spec.cron.as_deref().map(cron);
        let rules: Vec<Rule> = [at, every, cron]
            .into_iter()
            .flatten()
            .filter_map(&mut take)
            .collect();
        faults.into_result()?;
        let rule = rules.into_iter().next().ok_or_else(|| none_given())?;
        Ok(Self { zone, rule })
    }

    /// Returns the first fire time after a moment; `None` when there is none any more.
    pub(crate) fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.rule {
            Rule::At(moment) => (*moment > after).then_some(*moment),
            Rule::Every { step, anchor } => {
                let elapsed = after.timestamp_millis().checked_sub(*anchor)?;
                let steps = if elapsed < 0 { 0 } else { elapsed / step + 1 };
                DateTime::from_timestamp_millis(anchor.checked_add(steps.checked_mul(*step)?)?)
            }
            Rule::Cron { cron, fixed } => self.next_cron(cron, *fixed, after),
        }
    }

    /// Returns the fire time of a job that is seen for the first time: that of `at` may lie in the past.
    pub(crate) fn first(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.rule {
            Rule::At(moment) => Some(*moment),
            Rule::Every { .. } | Rule::Cron { .. } => self.next_after(now),
        }
    }

    /// Returns the next fire times after a moment.
    pub(crate) fn upcoming(&self, after: DateTime<Utc>, n: usize) -> Vec<DateTime<Utc>> {
        let next = |at: &DateTime<Utc>| self.next_after(*at);
        std::iter::successors(self.next_after(after), next)
            .take(n)
            .collect()
    }

    /// Returns a moment as the clocks of the job's time zone show it.
    pub(crate) fn local_moment(&self, at: DateTime<Utc>) -> DateTime<FixedOffset> {
        at.with_timezone(&self.zone).fixed_offset()
    }

    /// Tells whether there is only one fire time ever.
    pub(crate) fn is_single(&self) -> bool {
        matches!(self.rule, Rule::At(_))
    }

    fn next_cron(&self, cron: &Cron, fixed: bool, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let steady = self.offset(after.checked_sub_signed(LONGEST_CHANGE)?)
            == self.offset(after.checked_add_signed(LONGEST_CHANGE)?);
        // Near a change of clocks, local times before this one may still lie ahead.
        let back = if steady {
            TimeDelta::zero()
        } else {
            LONGEST_CHANGE
        };
        let mut local = self.local(after).checked_sub_signed(back)?;
        let mut best: Option<DateTime<Utc>> = None;
        loop {
            let Some(next) = next_local(cron, local) else {
                return best;
            };
            local = next;
            let (first, second) = self.instants(local, fixed);
            if best.is_some_and(|best| first.is_some_and(|first| first > best)) {
                return best;
            }
            let ahead = [first, second].into_iter().flatten();
            best = ahead.filter(|at| *at > after).chain(best).min();
            if steady && best.is_some() {
                return best;
            }
        }
    }

    /// Returns when a local fire time comes: once, never, or twice.
    fn instants(
        &self,
        local: NaiveDateTime,
        fixed: bool,
    ) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
        match self.zone.from_local_datetime(&local) {
            LocalResult::Single(at) => (Some(at.to_utc()), None),
            LocalResult::Ambiguous(first, _) if fixed => (Some(first.to_utc()), None),
            LocalResult::Ambiguous(first, second) => (Some(first.to_utc()), Some(second.to_utc())),
            LocalResult::None if fixed => (after_gap(local, self.zone), None),
            LocalResult::None => (None, None),
        }
    }

    fn local(&self, at: DateTime<Utc>) -> NaiveDateTime {
        at.with_timezone(&self.zone).naive_local()
    }

    fn offset(&self, at: DateTime<Utc>) -> i32 {
        at.with_timezone(&self.zone)
            .offset()
            .fix()
            .local_minus_utc()
    }
}

/// Returns the next local time that a cron names, as if clocks never changed.
fn next_local(cron: &Cron, after: NaiveDateTime) -> Option<NaiveDateTime> {
    let next = cron.find_next_occurrence(&after.and_utc(), false).ok()?;
    Some(next.naive_utc())
}

/// Returns the first moment after the skipped stretch that a local time falls into.
fn after_gap(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    // Before the gap a local time shows the old offset: reading ours with it leads to a moment after the change.
    let before = local.checked_sub_signed(TimeDelta::days(1))?;
    let old = zone.offset_from_local_datetime(&before).earliest()?.fix();
    let mut low = before.checked_sub_offset(old)?.and_utc();
    let mut high = local.checked_sub_offset(old)?.and_utc();
    let changed = |at: &DateTime<Utc>| at.with_timezone(&zone).offset().fix() != old;
    while high - low > TimeDelta::seconds(1) {
        let middle = low + (high - low) / 2;
        if changed(&middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    DateTime::from_timestamp(high.timestamp(), 0)
}

fn check_choice(spec: &JobSpec, faults: &mut Faults) {
    let given: Vec<&str> = [
        spec.at.as_ref().map(|_at| "at"),
        spec.every.map(|_every| "every"),
        spec.cron.as_ref().map(|_cron| "cron"),
    ]
    .into_iter()
    .flatten()
    .collect();
    match given.as_slice() {
        [] => faults.push(none_given()),
        [_one] => {}
        more => faults.push(bad(format!(
            "only one of at, every and cron may be given, not {}",
            more.join(" and ")
        ))),
    }
    if spec.every.is_none() {
        for (key, set) in [
            ("repeats", spec.repeats.is_some()),
            ("anchor", spec.anchor.is_some()),
        ] {
            if set {
                faults.push(bad(format!("{key} belongs to every, which is not given")));
            }
        }
    }
    if spec.repeats == Some(0) {
        faults.push(bad("repeats must be at least 1").hint("Leave it out to run without end."));
    }
}

fn none_given() -> Fault {
    bad("one of at, every and cron must be given")
        .hint("Write for example `every: 1h`, `cron: \"0 2 * * *\"` or `at: 2026-12-01T02:00`.")
}

fn zone(name: &str) -> Result<Tz, Fault> {
    name.parse::<Tz>().map_err(|_ignored| {
        let fault = bad(format!("timezone '{name}' is not known"));
        match closest(name, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())) {
            Some(name) => fault.hint(format!("Did you mean `{name}`?")),
            None => fault.hint("Write an IANA name such as `Europe/Paris` or `UTC`."),
        }
    })
}

fn every(step: Millis, anchor: Option<&str>, zone: Tz) -> Result<Rule, Fault> {
    if step < Millis::seconds(1) {
        return Err(bad(format!("every '{step}' is shorter than 1s")));
    }
    let step =
        i64::try_from(step.0).map_err(|_ignored| bad(format!("every '{step}' is too long")))?;
    let anchor = anchor.map_or(Ok(DateTime::UNIX_EPOCH), |text| {
        local_moment("anchor", text, zone)
    })?;
    let anchor = anchor.timestamp_millis();
    Ok(Rule::Every { step, anchor })
}

fn local_moment(key: &str, text: &str, zone: Tz) -> Result<DateTime<Utc>, Fault> {
    let text = text.trim();
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Ok(moment.to_utc());
    }
    let local = LOCAL
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let moment = local.and_then(|local| match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at.to_utc()),
        LocalResult::None => after_gap(local, zone),
    });
    moment.ok_or_else(|| {
        bad(format!("{key} '{text}' is not a date and time"))
            .hint("Write 2026-12-01T02:00 for the job's time zone, or 2026-12-01T02:00:00+01:00.")
    })
}

fn cron(text: &str) -> Result<Rule, Fault> {
    let fields = expand(text)?;
    let hours = fields.split_whitespace().nth(1).unwrap_or_default();
    let fixed = !hours.contains('*');
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    let cron = parser.parse(&fields).map_err(|error| {
        bad(format!("cron '{text}' cannot be read: {}", plain(&error))).hint(
            "Write minute, hour, day of month, month and day of week, as in `30 2 * * mon-fri`.",
        )
    })?;
    if next_local(&cron, DateTime::UNIX_EPOCH.naive_utc()).is_none() {
        return Err(bad(format!("cron '{text}' never fires")));
    }
    let cron = Box::new(cron);
    Ok(Rule::Cron { cron, fixed })
}

fn expand(text: &str) -> Result<String, Fault> {
    let text = text.trim();
    if text.starts_with('@') {
        let name = text.to_ascii_lowercase();
        let known = NICKNAMES.iter().find(|(nickname, _)| *nickname == name);
        return known
            .map(|(_, fields)| (*fields).to_owned())
            .ok_or_else(|| {
                let names: Vec<&str> = NICKNAMES.iter().map(|(nickname, _)| *nickname).collect();
                bad(format!("cron '{text}' is not a name for a schedule"))
                    .hint(format!("Write one of {}.", names.join(", ")))
            });
    }
    let fields = text.split_whitespace().count();
    if fields != 5 {
        return Err(
            bad(format!("cron '{text}' has {fields} fields and needs 5"))
                .hint("Write minute, hour, day of month, month and day of week."),
        );
    }
    Ok(text.to_owned())
}

/// Returns what the parser says, in our tone: lower case, without a full stop.
fn plain(error: &croner::errors::CronError) -> String {
    let text = error.to_string();
    let mut chars = text.trim_end_matches('.').chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}

fn bad(message: impl Into<String>) -> Fault {
    Fault::new(Code::BadSchedule, message)
}
