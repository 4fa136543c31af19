// The page: poll, show, and be honest about how old it all is.

const $ = (id) => document.getElementById(id);

const map = new CoverageMap(readOut);
let shown = null;
let chosen = fragment();
let seconds = 10;
let lastRead = null;

function fragment() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    // Somebody else wrote it.
    return "";
  }
}

function readOut(facts, state, aloud) {
  const { minute, job, ...others } = facts;
  const rest = visible(Object.values(others).filter(Boolean).join(" · "));
  $("readout").replaceChildren(element("b", {}, minute), ` · ${rest} `, job ? element("span", { class: "job" }, job) : "");
  if (aloud) say(`${minute}, ${Object.values(others).filter(Boolean).join(", ")}`);
}

function show(data, readAt) {
  performance.mark("show");
  const feeds = data.feeds.map((given) => new Feed(given, data.first));
  const streams = data.streams.map((given) => new Stream(given, data.first));
  const isFirst = !shown;
  shown = { data, tabs: [...feeds, ...streams], readAt };
  seconds = data.seconds;
  if (!shown.tabs.some((one) => one.name === chosen)) chosen = shown.tabs[0]?.name ?? "";
  const [headline, wrong] = verdict(data, feeds, streams);
  $("verdict").textContent = headline;
  document.title = wrong ? `(!) ${headline}` : "gti-mesh";
  showTabs();
  if (isFirst) showChosenTab();
  showPanel();
  $("trouble").replaceChildren(...data.trouble.map(conditionItem));
  fill($("dead"), data.dead_letters.map(deathCard), data.letters_in_gaps ? "No other dead letter needs a person." : "No dead letter needs a person.");
  $("resolved").replaceChildren(...(data.resolved ? [`${data.resolved.text}.`, step(data.resolved.remedy)] : []));
  $("letters-in-gaps").textContent = data.letters_in_gaps ? `${counted(data.letters_in_gaps, "letter")} of minutes that are listed as gaps; they are closed when the minutes arrive.` : "";
  $("waiting").replaceChildren(...waitingTable(data.subscriptions));
  performance.measure("show", "show");
}

function verdict(data, feeds, streams) {
  if (!feeds.length && !streams.length) return ["No feed is switched on", false];
  const total = (values, of) => values.reduce((sum, one) => sum + of(one), 0);
  const minutes = total(feeds, (feed) => feed.troubled);
  const troubled = [...feeds, ...streams].filter((one) => one.conditions.length).map((one) => one.name);
  const pages = total(streams, (stream) => stream.overdue);
  // The others are minutes that are dead, and counted already.
  const letters = data.letters_without_gap;
  const needs = [minutes && counted(minutes, "minute"), pages && counted(pages, "page"), letters && counted(letters, "dead letter")].filter(Boolean);
  const hand = minutes + pages + letters === 1 ? "needs" : "need";
  if (needs.length) return [`${new Intl.ListFormat("en").format(needs)} ${hand} a hand`, true];
  if (troubled.length) return [`${new Intl.ListFormat("en").format(troubled)} ${troubled.length === 1 ? "needs" : "need"} a look`, true];
  if (data.trouble.length) return ["The mesh needs a look", true];
  if (!streams.length && feeds.every((feed) => feed.isEmpty)) return ["Nothing has been asked for yet", false];
  if (!streams.length) return ["Every minute is accounted for", false];
  return [feeds.length ? "Every minute and every notification is accounted for" : "Every notification is accounted for", false];
}

function showTabs() {
  const colours = theme();
  if ($("tabs").children.length !== shown.tabs.length) {
    $("tabs").replaceChildren(...shown.tabs.map(() => tab()));
  }
  shown.tabs.forEach((one, place) => {
    const button = $("tabs").children[place];
    const selected = one.name === chosen;
    button.dataset.name = one.name;
    button.setAttribute("aria-selected", String(selected));
    button.tabIndex = selected ? 0 : -1;
    button.querySelector(".title").textContent = one.name;
    const count = button.querySelector(".count");
    count.classList.toggle("wrong", one.wrong > 0);
    count.textContent = one.brief;
    paintWeek(button.querySelector("canvas"), one, colours);
  });
}

function tab() {
  const week = element("canvas", { class: "week", "aria-hidden": "true" });
  const button = element(
    "button", { type: "button", role: "tab", "aria-controls": "panel" },
    element("span", { class: "title" }), week, element("span", { class: "count" }),
  );
  button.addEventListener("click", () => choose(button.dataset.name));
  return button;
}

function choose(name) {
  chosen = name;
  history.replaceState(null, "", `#${encodeURIComponent(name)}`);
  showTabs();
  showChosenTab();
  showPanel();
}

function showChosenTab() {
  $("tabs").querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function showPanel() {
  const one = shown.tabs.find(({ name }) => name === chosen);
  const isFeed = one instanceof Feed;
  $("panel").hidden = $("tabs").hidden = !one;
  if (!one) return;
  $("panel").setAttribute("aria-label", one.name);
  for (const id of ["coverage", "gaps-part"]) $(id).hidden = !isFeed;
  $("pages-part").hidden = isFeed;
  if (isFeed) showFeed(one);
  else showStream(one);
}

function showFeed(feed) {
  $("conditions").replaceChildren(...feed.conditions.map(conditionItem));
  $("figures").replaceChildren(...listed(figures(feed)));
  map.show(feed);
  $("legend").replaceChildren(...legend(feed));
  $("throughput-note").textContent = drawChart($("chart"), feed, { one: "line", lost: "rejected" });
  const nothing = feed.isEmpty ? "Nothing has been asked for yet; the planner does so once a minute." : "No gap: every minute that is due is there, on its way, or absent at the source.";
  fill($("gaps"), feed.gaps.map((gap) => gapCard(feed, gap, (minute) => map.moveTo(minute))), nothing);
}

function showStream(stream) {
  $("conditions").replaceChildren(...stream.conditions.map(conditionItem));
  $("figures").replaceChildren(...listed(streamFigures(stream, shown.readAt)));
  $("throughput-note").textContent = drawChart($("chart"), stream, { one: itemsOf[stream.unit], lost: "given up" });
  fill($("pages"), stream.undelivered.map(pagesCard), `Every ${stream.unit} of these days is delivered.`);
}

function listed(values) {
  return Object.entries(values).map(([title, value]) => element("div", {}, element("dt", {}, title), element("dd", {}, value)));
}

function figures(feed) {
  const merged = feed.last_merged && Date.parse(feed.last_merged);
  return {
    "last due": feed.last_due ? written(Date.parse(feed.last_due)) : "never",
    "last merged": merged ? written(merged) : "never",
    "behind the clock": merged ? lasted((shown.readAt - merged) / MINUTE) : "–",
    "lines a minute": number.format(feed.lines_per_minute),
    "lines, 24 h": number.format(feed.lines_24h),
    "rejected, 24 h": number.format(feed.rejected_24h),
    "last error": lastError(feed.condition) ?? "none",
    ...versions(feed.versions),
  };
}

function versions(counts) {
  if (!counts) return {};
  const share = counts.ratio === null ? "" : ` (${(100 * counts.ratio).toFixed(1)} % of base)`;
  return {
    "newest versions, recent": number.format(counts.recent_rows) + share,
    "newest versions, base": number.format(counts.base_rows),
    "last fold": counts.last_fold ? written(Date.parse(counts.last_fold)) : "never",
  };
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
  text = visible(text);
  $("failure").textContent = shown ? `${text} What is shown was read at ${clock(shown.readAt, true)} UTC.` : text;
  $("failure").hidden = false;
  if (!shown) $("verdict").textContent = "The ledger cannot be read";
  $("pulse").classList.add("late");
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
  show(found, readAt);
  // By the server's own clock; this one may differ.
  lastRead = performance.now() - 1000 * Number(answer.headers.get("X-Read-Age"));
  $("failure").hidden = true;
  showAge();
}

// Whatever has ended the reading, the pulse must not go on as if it had not.
function showAge() {
  if (lastRead === null || !$("failure").hidden) return;
  const ended = performance.now() - lastRead > Math.max(3 * seconds, 60) * 1000;
  const at = clock(shown.readAt, true);
  $("pulse").classList.toggle("late", ended);
  $("read").textContent = ended ? `not read since ${at} UTC` : `read ${at} UTC, every ${seconds} s`;
}

async function keepPolling() {
  try {
    if (!document.hidden) await poll();
  } catch (error) {
    fail(`This page cannot show what it has read: ${error.message}.`);
  }
  setTimeout(keepPolling, seconds * 1000);
}

$("tabs").addEventListener("keydown", (event) => {
  const buttons = [...$("tabs").children];
  const from = buttons.indexOf(document.activeElement);
  const target = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: -1 }[event.key];
  if (target === undefined) return;
  event.preventDefault();
  const next = buttons.at(target % buttons.length);
  next.focus();
  choose(next.dataset.name);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  if (shown) showTabs(), showPanel();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
setInterval(showAge, 1000);
keepPolling();
