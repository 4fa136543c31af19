// Lines an hour over the week, and the rejects among them.

const SVG = "http://www.w3.org/2000/svg";

function shape(kind, attributes) {
  const made = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}

function drawChart(place, feed) {
  const hours = feed.throughput();
  const most = Math.max(1, ...hours.map((hour) => hour.lines));
  const svg = shape("svg", { viewBox: `0 0 ${hours.length} 100`, preserveAspectRatio: "none", role: "img" });
  svg.setAttribute("aria-label", chartInWords(hours, most));
  hours.forEach((hour, column) => {
    if (new Date(hour.time).getUTCHours() === 0) svg.append(shape("line", { x1: column, x2: column, y1: 0, y2: 100 }));
    const height = (hour.lines / most) * 100;
    const bar = shape("rect", { class: "bar", x: column + 0.1, width: 0.8, y: 100 - height, height });
    const title = shape("title", {});
    title.textContent = `${written(hour.time)}: ${counted(hour.lines, "line")}, ${number.format(hour.rejected)} rejected`;
    bar.append(title);
    svg.append(bar);
    const rejects = (hour.rejected / most) * 100;
    svg.append(shape("rect", { class: "rejects", x: column + 0.1, width: 0.8, y: 100 - rejects, height: rejects }));
  });
  svg.append(shape("line", { x1: 0, x2: hours.length, y1: 100, y2: 100 }));
  place.replaceChildren(svg, daysOf(hours));
  const lines = hours.reduce((sum, hour) => sum + hour.lines, 0);
  const rejected = hours.reduce((sum, hour) => sum + hour.rejected, 0);
  return lines ? `Lines an hour, up to ${number.format(most)}; ${number.format(rejected)} of ${number.format(lines)} were rejected.` : "No line has come yet.";
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

function chartInWords(hours, most) {
  const sum = (name, from) => hours.slice(from).reduce((total, hour) => total + hour[name], 0);
  return (
    `Lines an hour over seven days: ${number.format(sum("lines", 0))} in all, ${number.format(sum("lines", -24))} in the ` +
    `last 24 hours, ${number.format(most === 1 ? 0 : most)} in the busiest hour; ${number.format(sum("rejected", 0))} rejected.`
  );
}
