// The coverage map: as many hours a row as fit, a stamp a minute, and a cursor that pointer and keys move.

const ROW_HOURS = [6, 4, 3, 2, 1];
const NARROWEST_CELL = 4;

class CoverageMap {
  constructor(onRead) {
    this.canvas = document.getElementById("map-cells");
    this.grid = document.getElementById("map-grid");
    this.row = document.getElementById("map-row");
    this.cursor = document.getElementById("map-cursor");
    this.onRead = onRead;
    this.at = null;
    this.canvas.addEventListener("pointermove", (event) => this.point(event, false));
    this.canvas.addEventListener("pointerleave", () => this.read(this.at, false));
    this.canvas.addEventListener("click", (event) => this.point(event, true));
    this.cursor.addEventListener("keydown", (event) => this.press(event));
    this.cursor.addEventListener("focus", () => this.read(this.at, true));
    // On the tab of a stream the map is hidden and has no width.
    new ResizeObserver(([box]) => this.feed && box.contentRect.width && this.draw()).observe(this.canvas.parentElement);
  }

  show(feed) {
    const moved = this.feed ? Math.round((this.feed.begin - feed.begin) / MINUTE) : 0;
    const stays = this.feed?.feed === feed.feed && this.at !== null;
    this.feed = feed;
    this.at = stays ? Math.max(0, this.at + moved) : this.start();
    this.grid.setAttribute("aria-label", `Coverage of ${feed.feed}, seven days, a cell a minute`);
    this.draw();
  }

  // The cursor begins at the newest minute in trouble, or at the newest that is due.
  start() {
    const last = this.feed.cells.length;
    return this.feed.troubleFrom(last, -1) ?? Math.max(0, last - 1 - this.feed.cells.match(/\.*$/)[0].length);
  }

  measure() {
    const ratio = window.devicePixelRatio || 1;
    const width = this.canvas.parentElement.clientWidth;
    const narrow = width < 480;
    const label = narrow ? 46 : 100;
    const hours = ROW_HOURS.find((count) => (width - label) / (count * HOUR) >= NARROWEST_CELL) ?? 1;
    const pitch = Math.max(2, Math.floor(((width - label) * ratio) / (hours * HOUR)));
    const rowHeight = Math.round((narrow ? 8 : 12) * ratio);
    const gap = Math.max(1, Math.round(ratio * (pitch / ratio >= 4 ? 1 : 0.5)));
    const rowMinutes = hours * HOUR;
    // What is left over parts the hours.
    const spare = (width - label) * ratio - pitch * rowMinutes + gap;
    const hourGap = hours > 1 ? Math.min(Math.floor(spare / (hours - 1)), Math.round(12 * ratio)) : 0;
    const begin = Math.floor(this.feed.begin / (DAY * MINUTE)) * DAY * MINUTE;
    const skipped = Math.floor((this.feed.begin - begin) / (rowMinutes * MINUTE)) * rowMinutes;
    return {
      ratio, label: Math.round(label * ratio), hours, pitch, hourGap, rowHeight, gap, rowMinutes, narrow,
      top: Math.round(18 * ratio), dayGap: Math.round(7 * ratio), origin: begin + skipped * MINUTE,
    };
  }

  draw() {
    performance.mark("map");
    this.size = this.measure();
    const { ratio } = this.size;
    const colours = theme();
    const last = this.placeOf(this.feed.cells.length - 1);
    this.canvas.width = Math.round(this.canvas.parentElement.clientWidth * ratio);
    this.canvas.height = last.y + this.size.rowHeight;
    this.canvas.style.height = `${this.canvas.height / ratio}px`;
    const context = this.canvas.getContext("2d");
    context.font = `${11 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
    context.textBaseline = "middle";
    this.drawScale(context, colours);
    this.drawRows(context, colours);
    this.drawCells(context, colours);
    this.grid.setAttribute("aria-rowcount", String(last.row + 1));
    this.grid.setAttribute("aria-colcount", String(this.size.rowMinutes));
    this.moveCursor();
    performance.measure(`map ${this.feed.feed}`, "map");
  }

  drawCells(context, colours) {
    const { pitch, rowHeight, gap, ratio } = this.size;
    const stamped = stamps(pitch - gap, rowHeight - Math.max(gap, Math.round(2 * ratio)), colours);
    const { width, height } = stamped.m;
    context.fillStyle = colours.merged;
    for (let minute = 0; minute < this.feed.cells.length; minute += 1) {
      const { x, y } = this.placeOf(minute);
      const letter = this.feed.cells[minute];
      // Nearly all are merged, and a plain rectangle is drawn several times faster than a stamp.
      if (letter === "m") context.fillRect(x, y, width, height);
      else context.drawImage(stamped[letter], x, y);
    }
  }

  // Across: the minute's position in its row.
  drawScale(context, colours) {
    const { hours, top } = this.size;
    context.fillStyle = colours.soft;
    const ticks = hours === 1 ? [0, 15, 30, 45] : Array.from({ length: hours }, (_, hour) => hour * HOUR);
    for (const tick of ticks) context.fillText(hours === 1 ? `:${two(tick)}` : `+${tick / HOUR} h`, this.left(tick), top / 2);
  }

  // Down: the day where it begins, and the hour of each row, or of every third where rows are low.
  drawRows(context, colours) {
    const { label, origin, rowMinutes, rowHeight, narrow, ratio } = this.size;
    const rows = this.placeOf(this.feed.cells.length - 1).row + 1;
    for (let row = 0; row < rows; row += 1) {
      const time = origin + row * rowMinutes * MINUTE;
      const y = this.rowTop(row) + rowHeight / 2 - ratio;
      const hour = new Date(time).getUTCHours();
      const isNewDay = row === 0 || dayOf(time) !== dayOf(time - rowMinutes * MINUTE);
      const [weekday, date] = dayOf(time).split(", ");
      context.fillStyle = colours.ink;
      if (isNewDay) context.fillText(narrow ? `${weekday} ${date.split(" ")[1]}` : `${weekday} ${date}`, 0, y);
      context.fillStyle = colours.soft;
      if (!narrow) context.fillText(two(hour), label - 22 * ratio, y);
      else if (!isNewDay && hour % 3 === 0) context.fillText(two(hour), 0, y);
    }
  }

  left(column) {
    return this.size.label + column * this.size.pitch + Math.floor(column / HOUR) * this.size.hourGap;
  }

  rowTop(row) {
    const { top, rowHeight, dayGap, origin, rowMinutes } = this.size;
    const days = Math.floor((origin + row * rowMinutes * MINUTE) / (DAY * MINUTE)) - Math.floor(origin / (DAY * MINUTE));
    return top + row * rowHeight + days * dayGap;
  }

  placeOf(minute) {
    const { rowMinutes, origin } = this.size;
    const offset = minute + Math.round((this.feed.begin - origin) / MINUTE);
    const row = Math.floor(offset / rowMinutes);
    const column = offset % rowMinutes;
    return { row, column, x: this.left(column), y: this.rowTop(row) };
  }

  minuteAt(x, y) {
    const { label, pitch, hourGap, rowMinutes, rowHeight, origin } = this.size;
    const hour = Math.floor((x - label) / (HOUR * pitch + hourGap));
    const column = hour * HOUR + Math.min(Math.floor((x - this.left(hour * HOUR)) / pitch), HOUR - 1);
    if (x < label || column >= rowMinutes) return null;
    for (let row = 0; this.rowTop(row) <= y; row += 1) {
      if (y >= this.rowTop(row) + rowHeight) continue;
      const minute = row * rowMinutes + column - Math.round((this.feed.begin - origin) / MINUTE);
      return minute >= 0 && minute < this.feed.cells.length ? minute : null;
    }
    return null;
  }

  point(event, choose) {
    const box = this.canvas.getBoundingClientRect();
    const { ratio } = this.size;
    const minute = this.minuteAt((event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio);
    if (minute === null) return;
    if (choose) this.moveTo(minute);
    else this.read(minute, false);
  }

  moveTo(minute) {
    this.at = Math.min(Math.max(minute, 0), this.feed.cells.length - 1);
    this.moveCursor();
    if (document.activeElement === this.cursor) this.read(this.at, true);
    else this.cursor.focus();
  }

  press(event) {
    const { rowMinutes } = this.size;
    const column = this.placeOf(this.at).column;
    const target = {
      ArrowLeft: () => this.at - 1,
      ArrowRight: () => this.at + 1,
      ArrowUp: () => this.at - rowMinutes,
      ArrowDown: () => this.at + rowMinutes,
      Home: () => this.at - column,
      End: () => this.at - column + rowMinutes - 1,
      PageUp: () => this.at - DAY,
      PageDown: () => this.at + DAY,
      n: () => this.feed.troubleFrom(this.at, 1),
      p: () => this.feed.troubleFrom(this.at, -1),
    }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!target || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const minute = target();
    if (minute !== null && minute >= 0 && minute < this.feed.cells.length) this.moveTo(minute);
  }

  moveCursor() {
    const { pitch, rowHeight, gap, ratio } = this.size;
    const { x, y, row, column } = this.placeOf(this.at);
    const style = this.cursor.style;
    [style.left, style.top] = [`${x / ratio}px`, `${y / ratio}px`];
    [style.width, style.height] = [`${(pitch - gap) / ratio}px`, `${rowHeight / ratio - 2}px`];
    this.row.setAttribute("aria-rowindex", String(row + 1));
    this.cursor.setAttribute("aria-colindex", String(column + 1));
    const { job, ...spoken } = this.feed.factsOf(this.at);
    this.cursor.setAttribute("aria-label", Object.values(spoken).filter(Boolean).join(", "));
    this.read(this.at, false);
  }

  read(minute, aloud) {
    if (minute !== null) this.onRead(this.feed.factsOf(minute), STATES[this.feed.cells[minute]], aloud);
  }
}
