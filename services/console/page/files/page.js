// The page: poll, show, and be honest about how old it all is.

const $ = (id) => document.getElementById(id);

const map = new CoverageMap(readOut);
let shown = null;
let chosen = decodeURIComponent(location.hash.slice(1));
let seconds = 10;

function readOut(facts, state, aloud) {
  const { minute, job, ...others } = facts;
  const rest = Object.values(others).filter(Boolean).join(" · ");
  $("readout").replaceChildren(element("b", {}, minute), ` · ${rest} `, job ? element("span", { class: "job" }, job) : "");
  if (aloud) say(`${minute}, ${Object.values(others).filter(Boolean).join(", ")}`);
}

function show(data, readAt) {
  performance.mark("show");
  const feeds = data.feeds.map((given) => new Feed(given, data.first));
  shown = { data, feeds, readAt };
  seconds = data.seconds;
  if (!feeds.some((feed) => feed.feed === chosen)) chosen = feeds[0]?.feed ?? "";
  const [headline, wrong] = verdict(data, feeds);
  $("verdict").textContent = headline;
  document.title = wrong ? `(!) ${headline}` : "gti-mesh";
  showTabs(feeds);
  showFeed();
  fill($("dead"), data.dead_letters.map(deathCard), "No dead letter needs a person.");
  $("waiting").replaceChildren(...waitingTable(data.subscriptions));
  performance.measure("show", "show");
}

function verdict(data, feeds) {
  if (!feeds.length) return ["No feed is switched on", false];
  const minutes = feeds.reduce((sum, feed) => sum + feed.troubled, 0);
  const conditions = feeds.reduce((sum, feed) => sum + feed.conditions.length, 0);
  // The others are minutes that are dead, and counted already.
  const letters = data.untold;
  const needs = [minutes && counted(minutes, "minute"), letters && counted(letters, "dead letter")].filter(Boolean);
  if (needs.length) return [`${needs.join(" and ")} ${minutes + letters === 1 ? "needs" : "need"} a hand`, true];
  if (conditions) return [`Nothing is missing, but ${counted(conditions, "feed")} ${conditions === 1 ? "needs" : "need"} a look`, true];
  if (feeds.every((feed) => feed.isEmpty)) return ["Nothing has been asked for yet", false];
  return ["Every minute is accounted for", false];
}

function showTabs(feeds) {
  const colours = theme();
  if ($("tabs").children.length !== feeds.length) {
    $("tabs").replaceChildren(...feeds.map(() => tab()));
  }
  feeds.forEach((feed, place) => {
    const button = $("tabs").children[place];
    const selected = feed.feed === chosen;
    const wrong = feed.gaps.length + feed.conditions.length;
    button.dataset.feed = feed.feed;
    button.setAttribute("aria-selected", String(selected));
    button.tabIndex = selected ? 0 : -1;
    button.querySelector(".title").textContent = feed.feed;
    const count = button.querySelector(".count");
    count.classList.toggle("wrong", wrong > 0);
    count.textContent = feed.gaps.length ? counted(feed.gaps.length, "gap") : wrong ? "needs a look" : feed.isEmpty ? "no data yet" : "whole";
    paintWeek(button.querySelector("canvas"), feed, colours);
  });
}

function tab() {
  const week = element("canvas", { class: "week", "aria-hidden": "true" });
  const button = element(
    "button", { type: "button", role: "tab", "aria-controls": "feed" },
    element("span", { class: "title" }), week, element("span", { class: "count" }),
  );
  button.addEventListener("click", () => choose(button.dataset.feed));
  return button;
}

function choose(feed) {
  chosen = feed;
  history.replaceState(null, "", `#${encodeURIComponent(feed)}`);
  showTabs(shown.feeds);
  showFeed();
}

function showFeed() {
  const feed = shown.feeds.find((one) => one.feed === chosen);
  $("feed").hidden = !feed;
  $("tabs").hidden = !feed;
  if (!feed) return;
  $("feed").setAttribute("aria-label", feed.feed);
  $("conditions").replaceChildren(...feed.conditions.map((text) => element("li", {}, text)));
  $("figures").replaceChildren(...figures(feed));
  map.show(feed);
  $("legend").replaceChildren(...legend(feed));
  $("throughput-note").textContent = drawChart($("chart"), feed);
  const nothing = feed.isEmpty ? "Nothing has been asked for yet; the planner does so once a minute." : "No gap: every minute that is due is there, on its way, or absent at the source.";
  fill($("gaps"), feed.gaps.map((gap) => gapCard(feed, gap, (minute) => map.moveTo(minute))), nothing);
}

function figures(feed) {
  const merged = feed.last_merged && Date.parse(feed.last_merged);
  const values = {
    "last due": feed.last_due ? written(Date.parse(feed.last_due)) : "never",
    "last merged": merged ? written(merged) : "never",
    "behind the clock": merged ? lasted((shown.readAt - merged) / MINUTE) : "–",
    "lines a minute": number.format(feed.lines_per_minute),
    "lines, 24 h": number.format(feed.lines_24h),
    "rejected, 24 h": number.format(feed.rejected_24h),
  };
  return Object.entries(values).map(([title, value]) => element("div", {}, element("dt", {}, title), element("dd", {}, value)));
}

function legend(feed) {
  const counts = feed.counts();
  const colours = theme();
  const ratio = window.devicePixelRatio || 1;
  return Object.entries(STATES).filter(([letter]) => letter !== ".").map(([letter, state]) => {
    const swatch = element("canvas", { "aria-hidden": "true" });
    [swatch.width, swatch.height] = [8 * ratio, 14 * ratio];
    [swatch.style.width, swatch.style.height] = ["8px", "14px"];
    paintCell(swatch.getContext("2d"), letter, swatch.width, swatch.height, colours);
    return element("li", {}, swatch, element("span", {}, state.name), element("b", {}, number.format(counts[letter] ?? 0)));
  });
}

function fail(text) {
  $("failure").textContent = shown ? `${text} What is shown was read at ${clock(shown.readAt, true)} UTC.` : text;
  $("failure").hidden = false;
  $("pulse").classList.add("late");
  if (!shown) $("verdict").textContent = "The ledger cannot be read";
  $("read").textContent = shown ? `last read ${clock(shown.readAt, true)} UTC` : "nothing read yet";
}

async function poll() {
  let answer;
  try {
    answer = await fetch("data.json", { cache: "no-cache", signal: AbortSignal.timeout(60_000) });
  } catch {
    return fail("The page's server does not answer.");
  }
  const found = await answer.json().catch(() => ({ error: `it answered ${answer.status}` }));
  if (!answer.ok || found.error) return fail(`The mesh cannot be read: ${found.error ?? answer.status}.`);
  const readAt = Date.parse(answer.headers.get("X-Read-At"));
  $("failure").hidden = true;
  $("pulse").classList.remove("late");
  $("read").textContent = `read ${clock(readAt, true)} UTC, every ${seconds} s`;
  show(found, readAt);
}

async function keepPolling() {
  if (!document.hidden) await poll();
  setTimeout(keepPolling, seconds * 1000);
}

$("tabs").addEventListener("keydown", (event) => {
  const buttons = [...$("tabs").children];
  const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!move) return;
  event.preventDefault();
  const next = buttons[(buttons.indexOf(document.activeElement) + move + buttons.length) % buttons.length];
  next.focus();
  choose(next.dataset.feed);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  if (shown) showTabs(shown.feeds), showFeed();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
keepPolling();
