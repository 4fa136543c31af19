// What the data says: a letter a minute, and the words for it.

const MINUTE = 60_000;
const HOUR = 60;
const DAY = 24 * HOUR;

// level: how far a minute has come, in thirds of a cell. mark: what tells it from others without its colour.
// A capital letter is a minute in trouble.
const STATES = {
  m: { name: "merged", level: 3 },
  o: { name: "loaded", level: 2, more: "waits for the next merge" },
  l: { name: "landed", level: 1, more: "about to be loaded" },
  d: { name: "due", level: 0, more: "asked for" },
  u: { name: "unrequested", level: 0, more: "the planner has not come to it" },
  a: { name: "absent", level: 0, mark: "dash", more: "the source has no package" },
  U: { name: "never requested", level: 0, mark: "hatch", more: "due, and the planner has not asked for it" },
  D: { name: "missing", level: 0, mark: "hatch", more: "asked for, and nothing has come" },
  L: { name: "never loaded", level: 1, mark: "hatch", more: "landed, and no load has followed" },
  O: { name: "never merged", level: 2, mark: "hatch", more: "loaded, and no merge has followed" },
  M: { name: "never counted", level: 3, mark: "hatch", more: "merged, and the ledger has no account of its lines" },
  X: { name: "dead", level: 3, mark: "cross" },
  "-": { name: "not asked for", level: 0, mark: "dot", more: "before the feed's first minute" },
  ".": { name: "not due", level: 0, mark: "none" },
};

const inTrouble = (letter) => letter >= "A" && letter <= "Z";

// Foreign text is shown literally: control characters, and characters that reverse or hide the text next to them.
const visible = (text) => String(text).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (one) => `\\u{${one.codePointAt(0).toString(16)}}`);

const number = new Intl.NumberFormat("en");
const two = (value) => String(value).padStart(2, "0");
const dayOf = (time) => new Date(time).toLocaleDateString("en", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });
const clock = (time, seconds = false) => new Date(time).toISOString().slice(11, seconds ? 19 : 16);
const written = (time) => (time === null ? "never" : `${dayOf(time)}, ${clock(time)}`);
const counted = (count, one, many = `${one}s`) => `${number.format(count)} ${count === 1 ? one : many}`;

function lasted(minutes) {
  if (minutes < 2 * HOUR) return counted(Math.round(minutes), "minute");
  return minutes < 2 * DAY ? counted(Math.round(minutes / HOUR), "hour") : counted(Math.round(minutes / DAY), "day");
}

// The last error of a feed or stream that has not worked since; null when there is none.
function lastError(error) {
  return error && `${error.error_type.replaceAll("_", " ")}, since ${written(Date.parse(error.since))}`;
}

// One feed's seven days; minutes are known by their number from the first.
class Feed {
  constructor(given, first) {
    Object.assign(this, given);
    this.begin = Date.parse(first);
  }

  timeOf(minute) {
    return this.begin + minute * MINUTE;
  }

  // The first minute of the package that has this minute: the minute itself, or the first of its hour.
  packageOf(minute) {
    return Math.max(0, minute - ((this.timeOf(minute) / MINUTE) % this.every));
  }

  numberOf(time) {
    return Math.round((Date.parse(time) - this.begin) / MINUTE);
  }

  get isEmpty() {
    return /^[.-]*$/.test(this.cells);
  }

  get troubled() {
    return this.gaps.reduce((sum, gap) => sum + gap.minutes, 0);
  }

  counts() {
    const found = {};
    for (const letter of this.cells) found[letter] = (found[letter] ?? 0) + 1;
    return found;
  }

  jobOf(minute) {
    const job = this.job[minute];
    if (!job?.startsWith("-")) return job;
    const digits = new Date(this.timeOf(minute)).toISOString().slice(0, 16).replace(/[-T:]/g, "");
    return `gti-mesh-${this.feed}-${digits}${job}`;
  }

  // Reasons that differ only in the minute that they name are one text with a mark for it.
  reasonOf(minute) {
    const [number, attempts] = this.dead_minutes[minute] ?? [];
    if (number === undefined) return null;
    const { reason, error_type: kind } = this.reasons[number];
    const written = new Date(this.timeOf(minute)).toISOString();
    const digits = written.slice(0, 16).replace(/[-T:]/g, "");
    const text = reason.replaceAll("\0z", `${written.slice(0, 19)}Z`).replaceAll("\0m", digits) || kind;
    return `${text}${attempts ? ` (${counted(attempts, "delivery", "deliveries")})` : ""}`;
  }

  // The facts of one minute, in the order in which a reader wants them.
  factsOf(shown) {
    const minute = this.packageOf(shown);
    const state = STATES[this.cells[minute]];
    const lines = this.lines[minute];
    return {
      minute: `${this.feed} ${dayOf(this.timeOf(minute))}, ${clock(this.timeOf(minute))} UTC`,
      state: state.more ? `${state.name}: ${state.more}` : state.name,
      since: this.at[minute] === null || state.name === "due" ? null : `since ${clock(this.timeOf(minute) + this.at[minute] * 1000, true)}`,
      lines: lines === null ? null : counted(lines, "line"),
      rejected: this.rejected[minute] ? `${number.format(this.rejected[minute])} rejected` : null,
      reason: this.reasonOf(minute),
      job: this.jobOf(minute),
    };
  }

  // The next minute in trouble from here, or the previous one; null when there is none.
  troubleFrom(minute, step) {
    for (let at = minute + step; at >= 0 && at < this.cells.length; at += step) {
      if (inTrouble(this.cells[at]) && !inTrouble(this.cells[at - 1] ?? ".")) return at;
    }
    return null;
  }

  // The hours of the clock that the minutes fall into: when each begins, and its minutes as [from, to).
  *hours() {
    const minutes = this.cells.length;
    for (let from = 0; from < minutes;) {
      const inside = (this.timeOf(from) / MINUTE) % HOUR;
      const to = Math.min(from + HOUR - inside, minutes);
      yield { time: this.timeOf(from) - inside * MINUTE, from, to };
      from = to;
    }
  }

  // Lines and rejects, an hour each.
  throughput() {
    const total = (values) => values.reduce((sum, value) => sum + (value ?? 0), 0);
    return [...this.hours()].map(({ time, from, to }) => (
      { time, count: total(this.lines.slice(from, to)), lost: total(this.rejected.slice(from, to)) }
    ));
  }

  // How each hour looks from afar: like the worst of its minutes.
  glances() {
    return [...this.hours()].map(({ time, from, to }) => ({ time, colour: glance(worst(this.cells.slice(from, to))) }));
  }

  get name() {
    return this.feed;
  }

  get wrong() {
    return this.gaps.length + this.conditions.length;
  }

  // The least that says how the feed is.
  get brief() {
    if (this.gaps.length) return counted(this.gaps.reduce((sum, kind) => sum + kind.ranges, 0), "gap");
    if (this.wrong) return "needs a look";
    return this.isEmpty ? "no data yet" : "whole";
  }
}
