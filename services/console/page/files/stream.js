// A stream: its seven days, as far as its log of pages tells, and the pages that are not delivered.

const isStuck = (run) => run.overdue || run.state === "given up";

class Stream {
  constructor(given, first) {
    Object.assign(this, given);
    this.begin = Date.parse(first);
    this.landed = new Map(given.hours.map((hour) => [Date.parse(hour.hour), hour]));
  }

  get name() {
    return this.stream;
  }

  get overdue() {
    return this.undelivered.filter((run) => run.overdue).reduce((sum, run) => sum + run.pages, 0);
  }

  get wrong() {
    return this.undelivered.filter(isStuck).reduce((sum, run) => sum + run.pages, 0);
  }

  get brief() {
    if (this.wrong) return `${counted(this.wrong, "page")} not delivered`;
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

function streamFigures(stream, readAt) {
  const when = (date) => (date ? written(Date.parse(date)) : "–");
  return {
    "first notification": when(stream.first_date),
    "newest notification": when(stream.last_date),
    "last page landed": `${lasted((readAt - Date.parse(stream.last_landed)) / MINUTE)} ago`,
    "lease in hand": stream.held_until ? `until ${clock(Date.parse(stream.held_until), true)}` : "none",
    notifications: number.format(stream.notifications),
    delivered: number.format(stream.delivered),
    waiting: number.format(stream.waiting),
    "given up": number.format(stream.given_up),
    requests: number.format(stream.requests),
    pages: pagesInWords(stream.pages),
  };
}

function pagesInWords(pages) {
  const states = ["delivered", "in hand", "waiting", "given up"].filter((state) => pages[state]);
  return states.map((state) => `${number.format(pages[state])} ${state}`).join(", ") || "none";
}

function pagesCard(run) {
  const which = run.pages === 1 ? `Page ${run.first}` : `Pages ${run.first} to ${run.last}`;
  const wrong = isStuck(run);
  return element(
    "li", wrong ? {} : { class: "calm" },
    element(
      "p", { class: "what" }, element("b", {}, which), element("span", {}, counted(run.notifications, "notification")),
      element("span", wrong ? { class: "wrong" } : {}, run.state),
    ),
    run.reason ? element("p", { class: "reason" }, run.reason) : null,
    element("p", { class: "quiet" }, `landed ${written(Date.parse(run.landed))}${wrong ? "" : "; Pub/Sub delivers it by itself, the command only saves the wait"}`),
    step(run.remedy),
  );
}
