// Lines or notifications an hour over the week, and those among them that were rejected or given up.

const SVG = "http://www.w3.org/2000/svg";

function shape(kind, attributes) {
  const made = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}

// words: { one: "line", lost: "rejected" }
function drawChart(place, source, words) {
  const hours = source.throughput();
  const most = Math.max(1, ...hours.map((hour) => hour.count));
  const svg = shape("svg", { viewBox: `0 0 ${hours.length} 100`, preserveAspectRatio: "none", role: "img" });
  svg.setAttribute("aria-label", chartInWords(hours, most, words));
  hours.forEach((hour, column) => {
    if (new Date(hour.time).getUTCHours() === 0) svg.append(shape("line", { x1: column, x2: column, y1: 0, y2: 100 }));
    const height = (hour.count / most) * 100;
    const bar = shape("rect", { class: "bar", x: column + 0.1, width: 0.8, y: 100 - height, height });
    const title = shape("title", {});
    title.textContent = `${written(hour.time)}: ${counted(hour.count, words.one)}, ${number.format(hour.lost)} ${words.lost}`;
    bar.append(title);
    svg.append(bar);
    const rejects = (hour.lost / most) * 100;
    svg.append(shape("rect", { class: "rejects", x: column + 0.1, width: 0.8, y: 100 - rejects, height: rejects }));
  });
  svg.append(shape("line", { x1: 0, x2: hours.length, y1: 100, y2: 100 }));
  place.replaceChildren(svg, daysOf(hours));
  const count = hours.reduce((sum, hour) => sum + hour.count, 0);
  const lost = hours.reduce((sum, hour) => sum + hour.lost, 0);
  if (!count) return `No ${words.one} has come in these days.`;
  return `${perHour(words)}, up to ${number.format(most)}; ${number.format(lost)} of ${number.format(count)} were ${words.lost}.`;
}

function perHour(words) {
  return `${words.one[0].toUpperCase()}${words.one.slice(1)}s an hour`;
}

function daysOf(hours) {
  const days = new Map();
  for (const hour of hours) days.set(dayOf(hour.time), (days.get(dayOf(hour.time)) ?? 0) + 1);
  const row = element("div", { class: "days", "aria-hidden": "true" });
  for (const [day, count] of days) {
    const label = element("span", {}, count >= 12 ? day.split(",")[0] : "");
    label.style.width = `${(100 * count) / hours.length}%`;
    row.append(label);
  }
  return row;
}

function chartInWords(hours, most, words) {
  const sum = (name, from) => hours.slice(from).reduce((total, hour) => total + hour[name], 0);
  return (
    `${perHour(words)} over seven days: ${number.format(sum("count", 0))} in all, ${number.format(sum("count", -24))} in the ` +
    `last 24 hours, ${number.format(sum("count", 0) ? most : 0)} in the busiest hour; ${number.format(sum("lost", 0))} ${words.lost}.`
  );
}
