// What needs a person: gaps and dead letters with the command for each, and what waits.
// Reasons are written by strangers, so text is only ever set as text.

function element(kind, attributes = {}, ...children) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, visible(value));
  made.append(...children.filter((child) => child !== null && child !== "").map((child) => (child instanceof Node ? child : visible(child))));
  return made;
}

function say(text) {
  document.getElementById("spoken").textContent = visible(text);
}

function step(command) {
  const button = element("button", { type: "button", "aria-label": `Copy the command ${command}` }, "Copy");
  const code = element("code", {}, command);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command);
      button.textContent = "Copied";
      say("Copied");
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    } catch {
      // Without the right to the clipboard, what is selected can still be copied by hand.
      getSelection().selectAllChildren(code);
      say("Selected; copy it with the keyboard");
    }
  });
  return element("div", { class: "step" }, code, button);
}

function spanOf(first, last) {
  if (first === last) return written(first);
  return `${written(first)} to ${dayOf(first) === dayOf(last) ? clock(last) : written(last)}`;
}

// Gaps of one trouble and one type of error are one card, with one command for all, and a button for each of the newest.
function gapCard(feed, kind, show) {
  const spans = kind.shown.map(({ first, last }) => ({ first, text: spanOf(Date.parse(first), Date.parse(last)) }));
  const links = spans.map(({ first, text }) => {
    const link = element("button", { type: "button", class: "link", "aria-label": `Show ${text} on the map` }, kind.ranges === 1 ? "Show" : text);
    link.addEventListener("click", () => show(feed.numberOf(first)));
    return link;
  });
  const title = kind.ranges === 1 ? spans[0].text : counted(kind.ranges, "range");
  const rest = kind.ranges - spans.length;
  const command = kind.remedy ? step(kind.remedy) : element("div", { class: "step" });
  if (kind.ranges === 1) command.append(...links);
  return element(
    "li", {},
    element("p", { class: "what" }, element("b", {}, title), element("span", {}, counted(kind.minutes, "minute")), element("span", { class: "wrong" }, kind.trouble)),
    kind.reason ? element("p", { class: "reason" }, kind.reason) : null,
    kind.ranges > 1 ? element("p", { class: "ranges" }, ...links, rest ? `and ${counted(rest, "earlier one")}` : "") : null,
    command,
  );
}

function conditionItem(problem) {
  return element("li", {}, problem.text, problem.remedy ? step(problem.remedy) : null);
}

function subjectOf(letters) {
  const minutes = letters.minutes.map((minute) => Date.parse(minute));
  if (minutes.length) return `${letters.feed} ${minutes.map(written).join(" to ")}`;
  if (letters.stream) return `${letters.stream}, ${counted(letters.count, "page")}`;
  return `${letters.feed ?? "A message"} names no minute`;
}

// Letters of one feed or stream and one reason are one card, with one command for all.
function deathCard(letters) {
  const from = [
    letters.attempts ? counted(letters.attempts, "delivery", "deliveries") : null,
    letters.source && `by ${letters.source}`,
    `given up ${written(Date.parse(letters.at))}`,
    letters.count === 1 ? `id ${letters.ids[0]}` : null,
  ];
  return element(
    "li", {},
    element("p", { class: "what" }, element("b", {}, subjectOf(letters)), element("span", {}, counted(letters.count, "letter"))),
    element("p", { class: "reason" }, letters.reason),
    element("p", { class: "quiet" }, from.filter(Boolean).join(" · ")),
    step(letters.remedy),
  );
}

function fill(list, cards, nothing) {
  list.replaceChildren(...(cards.length ? cards : [element("p", { class: "quiet" }, nothing)]));
}

function waitingTable(subscriptions) {
  if (!subscriptions.length) return [element("p", { class: "quiet" }, "No subscription has been seen lately.")];
  const head = element("tr", {}, ...["subscription", "waiting", "oldest"].map((title) => element("th", { scope: "col" }, title)));
  const rows = subscriptions.map((one) => {
    const age = one.oldest_unacked_seconds === null ? "–" : lasted(one.oldest_unacked_seconds / 60);
    return element("tr", {}, element("td", {}, one.name), element("td", {}, one.backlog === null ? "?" : number.format(one.backlog)), element("td", {}, age));
  });
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
  const fromLedger = subscriptions.some((one) => one.source === "ledger");
  const note = "Counted from the ledger and the streams' logs: the emulator keeps no figures.";
  return fromLedger ? [table, element("p", { class: "quiet" }, note)] : [table];
}
