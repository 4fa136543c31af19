// A stream: its seven days, as far as its log of pages tells, and the pages that are not delivered.

const isStuck = (run) => run.overdue || run.state === "given up";

class Stream {
  constructor(given, first) {
    Object.assign(this, given);
    this.begin = Date.parse(first);
    this.landed = new Map(given.hours.map((hour) => [Date.parse(hour.hour), hour]));
  }

  // A feed that goes to SecOps has a tab of its own name already.
  get name() {
    return this.unit === "page" ? this.stream : `${this.stream} to SecOps`;
  }

  get overdue() {
    return this.undelivered.filter((run) => run.overdue).reduce((sum, run) => sum + run.pages, 0);
  }

  get stuck() {
    return this.undelivered.filter(isStuck).reduce((sum, run) => sum + run.pages, 0);
  }

  get wrong() {
    return this.stuck + this.conditions.length;
  }

  get brief() {
    if (this.conditions.length) return "needs a look";
    if (this.stuck) return `${counted(this.stuck, this.unit)} not delivered`;
    return this.undelivered.length ? "on its way" : "all delivered";
  }

  throughput() {
    const hour = HOUR * MINUTE;
    const begin = Math.floor(this.begin / hour) * hour;
    return Array.from({ length: (DAY / HOUR) * 7 + 1 }, (_, number) => {
      const { notifications = 0, given_up: lost = 0 } = this.landed.get(begin + number * hour) ?? {};
      return { time: begin + number * hour, count: notifications, lost };
    });
  }

  glances() {
    return this.throughput().map(({ time, count, lost }) => ({ time, colour: lost ? "trouble" : count ? "merged" : "rule" }));
  }
}

// What a log has: notifications in pages, or a feed's elements in landed hours.
const itemsOf = { page: "notification", hour: "element" };

function streamFigures(stream, readAt) {
  const when = (date) => (date ? written(Date.parse(date)) : "–");
  const item = itemsOf[stream.unit];
  return {
    [stream.unit === "page" ? "first notification" : "first hour"]: when(stream.first_date),
    [stream.unit === "page" ? "newest notification" : "newest hour"]: when(stream.last_date),
    [`last ${stream.unit} landed`]: stream.last_landed ? `${lasted((readAt - Date.parse(stream.last_landed)) / MINUTE)} ago` : "never",
    "last error": lastError(stream.source) ?? lastError(stream.condition) ?? "none",
    "lease in hand": stream.held_until ? `until ${clock(Date.parse(stream.held_until), true)}` : "none",
    [`${item}s`]: number.format(stream.notifications),
    delivered: number.format(stream.delivered),
    waiting: number.format(stream.waiting),
    "given up": number.format(stream.given_up),
    requests: number.format(stream.requests),
    [`${stream.unit}s`]: pagesInWords(stream.pages),
  };
}

function pagesInWords(pages) {
  const states = ["delivered", "in hand", "waiting", "given up"].filter((state) => pages[state]);
  return states.map((state) => `${number.format(pages[state])} ${state}`).join(", ") || "none";
}

function pagesCard(run) {
  const whole = run.pages === run.last - run.first + 1;
  const named = run.unit === "page" ? "Page" : "Hour";
  const [first, last] = [run.first, run.last].map((at) => (run.unit === "page" ? at : written(at * HOUR * MINUTE)));
  const which = run.pages === 1 ? `${named} ${first}` : `${whole ? `${named}s` : `${number.format(run.pages)} ${run.unit}s,`} ${first} to ${last}`;
  const wrong = isStuck(run);
  return element(
    "li", wrong ? {} : { class: "calm" },
    element(
      "p", { class: "what" }, element("b", {}, which), element("span", {}, counted(run.notifications, itemsOf[run.unit])),
      element("span", wrong ? { class: "wrong" } : {}, run.state),
    ),
    run.reason ? element("p", { class: "reason" }, run.reason) : null,
    element("p", { class: "quiet" }, `landed ${written(Date.parse(run.landed))}${wrong ? "" : "; Pub/Sub delivers it by itself, the command only saves the wait"}`),
    step(run.remedy),
  );
}
