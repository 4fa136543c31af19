// How a state looks: a well that fills from below, and a mark that does not need colour.

const theme = () => {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  return Object.fromEntries(
    ["paper", "panel", "ink", "soft", "rule", "well", "merged", "absent", "trouble"].map((name) => [name, colour(name)]),
  );
};

// Draw one cell with its upper left corner at the origin; sizes are device pixels.
function paintCell(context, letter, width, height, colours) {
  const { level, mark } = STATES[letter];
  const troubled = inTrouble(letter);
  if (mark === "none") return undefined;
  if (mark === "dot") return paintRest(context, width, height, colours);
  if (mark === "cross") return paintCross(context, width, height, colours);
  context.fillStyle = colours.well;
  context.fillRect(0, 0, width, height);
  if (mark === "dash") {
    context.fillStyle = colours.absent;
    context.fillRect(0, Math.floor(height / 2) - 1, width, Math.max(2, Math.round(height / 5)));
  }
  if (mark === "hatch") paintHatch(context, width, height, colours);
  const filled = Math.round((height * level) / 3);
  context.fillStyle = troubled ? colours.trouble : colours.merged;
  context.fillRect(0, height - filled, width, filled);
}

function paintRest(context, width, height, colours) {
  context.fillStyle = colours.rule;
  context.fillRect(Math.floor(width / 2), Math.floor(height / 2), Math.max(1, width / 5), Math.max(1, width / 5));
}

function paintHatch(context, width, height, colours) {
  context.save();
  context.beginPath();
  context.rect(0, 0, width, height);
  context.clip();
  context.strokeStyle = colours.trouble;
  context.lineWidth = Math.max(1.5, width / 3.2);
  for (let at = -height; at < height + width; at += width) {
    context.beginPath();
    context.moveTo(0, at + width);
    context.lineTo(width, at);
    context.stroke();
  }
  context.restore();
}

function paintCross(context, width, height, colours) {
  context.fillStyle = colours.ink;
  context.fillRect(0, 0, width, height);
  context.strokeStyle = colours.panel;
  context.lineWidth = Math.max(1, width / 5);
  const middle = height / 2;
  context.beginPath();
  context.moveTo(0, middle - width / 2);
  context.lineTo(width, middle + width / 2);
  context.moveTo(width, middle - width / 2);
  context.lineTo(0, middle + width / 2);
  context.stroke();
}

// Every state drawn once, to be stamped ten thousand times.
function stamps(width, height, colours) {
  return Object.fromEntries(
    Object.keys(STATES).map((letter) => {
      const stamp = new OffscreenCanvas(width, height);
      paintCell(stamp.getContext("2d"), letter, width, height, colours);
      return [letter, stamp];
    }),
  );
}

// A week at a glance: rows are days, columns hours.
function paintWeek(canvas, source, colours) {
  const ratio = Math.ceil(window.devicePixelRatio || 1);
  const [width, height] = [5 * ratio, 4 * ratio];
  const firstDay = Math.floor(source.begin / (DAY * MINUTE));
  canvas.width = 24 * width;
  canvas.height = 8 * height;
  const context = canvas.getContext("2d");
  for (const { time, colour } of source.glances()) {
    const place = time / (HOUR * MINUTE);
    const [day, hour] = [Math.floor(place / 24) - firstDay, place % 24];
    context.fillStyle = colours[colour];
    context.fillRect(hour * width, day * height, width - ratio, height - ratio);
  }
}

function glance(letter) {
  if (letter === "X") return "ink";
  if (inTrouble(letter)) return "trouble";
  return letter === "m" || letter === "o" ? "merged" : "rule";
}

function worst(cells) {
  return [..."XUDLOMudloma"].find((letter) => cells.includes(letter)) ?? ".";
}
