// What needs a person: gaps and dead letters with the command for each, and what waits.
// Reasons are written by strangers, so text is only ever set as text.

function element(kind, attributes = {}, ...children) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null && child !== ""));
  return made;
}

function say(text) {
  document.getElementById("spoken").textContent = text;
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

function gapCard(feed, gap, show) {
  const [first, last] = [Date.parse(gap.first), Date.parse(gap.last)];
  const sameDay = dayOf(first) === dayOf(last);
  const span = gap.minutes === 1 ? written(first) : `${written(first)} to ${sameDay ? clock(last) : written(last)}`;
  const link = element("button", { type: "button", class: "link" }, "Show");
  link.setAttribute("aria-label", `Show ${span} on the map`);
  link.addEventListener("click", () => show(feed.numberOf(gap.first)));
  return element(
    "li", {},
    element("p", { class: "what" }, element("b", {}, span), element("span", {}, counted(gap.minutes, "minute")), element("span", { class: "wrong" }, gap.trouble)),
    gap.reason ? element("p", { class: "reason" }, gap.reason) : null,
    withLink(step(gap.remedy), link),
  );
}

function withLink(made, link) {
  made.append(link);
  return made;
}

function subjectOf(letters) {
  const minutes = letters.minutes.map((minute) => Date.parse(minute));
  if (minutes.length) return `${letters.feed} ${[...new Set([minutes[0], minutes.at(-1)])].map(written).join(" to ")}`;
  if (letters.stream) return `${letters.stream}, ${counted(letters.ids.length, "page")}`;
  return `${letters.feed ?? "A message"} names no minute`;
}

// Letters of one feed or stream and one reason are one card, with one command for all.
function deathCard(letters) {
  const from = [
    letters.attempts ? counted(letters.attempts, "delivery", "deliveries") : null,
    letters.source && `by ${letters.source}`,
    `given up ${written(Date.parse(letters.at))}`,
    letters.ids.length === 1 ? `id ${letters.ids[0]}` : null,
  ];
  return element(
    "li", {},
    element("p", { class: "what" }, element("b", {}, subjectOf(letters)), element("span", {}, counted(letters.ids.length, "letter"))),
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
