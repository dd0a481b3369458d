"use strict";
(() => {
  const D = JSON.parse(document.getElementById("data").textContent);
  const GAP = 255, LEVELS = 250, INK = "#1f2933", FAINT = "#7b8794", GRID = "#e4e7eb";
  const unpack = (text) => text && Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const scores = unpack(D.scores), valence = unpack(D.valence), speaker = unpack(D.speaker);
  const classes = D.labels.length, shownOf = D.labels.map(() => true);
  const audio = document.getElementById("audio");
  const course = document.getElementById("course"), pathCanvas = document.getElementById("path");
  const readout = document.getElementById("read"), note = document.getElementById("note");
  let from = 0, to = D.seconds, cursor = null, stacked = D.stacked;

  const clock = (s) => {
    const tenths = Math.round(s * 10), h = Math.floor(tenths / 36000), m = Math.floor(tenths / 600) % 60;
    const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
    return h ? h + ":" + String(m).padStart(2, "0") + ":" + rest : m + ":" + rest;
  };
  const value = (row, c) => D.low + (scores[row * classes + c] / LEVELS) * (D.high - D.low);
  const isGap = (row) => scores[row * classes] === GAP;
  const rowAt = (time) => Math.min(D.rows - 1, Math.max(0, Math.floor(time * D.rate + 1e-6)));

  // layout of the one canvas: scores, valence, speakers, times
  // the margin holds the speakers' names
  const ruler = document.createElement("canvas").getContext("2d");
  ruler.font = "12px system-ui, sans-serif";
  const wideOf = (text) => ruler.measureText(text).width;
  const roomFor = Math.max(64, Math.min(170, (course.clientWidth || 900) / 4)) - 10;
  const fitted = (text, cut) => (wideOf(text + cut) <= roomFor ? text + cut : fitted(Array.from(text).slice(0, -1).join(""), "…"));
  const called = D.speakers.slice(0, 12).map((name) => fitted(name.slice(0, 60), ""));
  const LEFT = Math.max(58, ...called.map((text) => Math.ceil(wideOf(text)) + 10)), RIGHT = 8, TOP = 22, MAIN = 250, GUTTER = 14, VALENCE = valence ? 84 : 0, LANE = 17;
  const lanes = Math.min(D.speakers.length, 12);
  const height = TOP + MAIN + (VALENCE ? GUTTER + VALENCE : 0) + (lanes ? GUTTER + lanes * LANE : 0) + 28;

  const ready = (canvas, tall) => {
    const ratio = window.devicePixelRatio || 1, wide = canvas.clientWidth || 900;
    canvas.style.height = tall + "px";
    canvas.width = Math.round(wide * ratio);
    canvas.height = Math.round(tall * ratio);
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.font = "12px system-ui, sans-serif";
    return [pen, wide];
  };
  const width = () => (course.clientWidth || 900) - LEFT - RIGHT;
  const xOf = (time) => LEFT + ((time - from) / (to - from)) * width();
  const timeOf = (x) => from + ((x - LEFT) / width()) * (to - from);

  // what lies under each pixel: the mean of its rows that are no gap, or nothing
  const columns = () => {
    const many = Math.max(1, Math.floor(width())), rows = ((to - from) * D.rate) / many, found = [];
    for (let p = 0; p < many; p++) {
      const first = rowAt(timeOf(LEFT + p));
      const last = Math.max(first + 1, Math.min(D.rows, Math.floor(timeOf(LEFT + p + 1) * D.rate)));
      const sums = new Float64Array(classes);
      let heard = 0, v = 0, withValence = 0;
      for (let row = first; row < last; row++) {
        if (!isGap(row)) {
          heard++;
          for (let c = 0; c < classes; c++) sums[c] += value(row, c);
        }
        if (valence && valence[row] !== GAP) { withValence++; v += (valence[row] / LEVELS) * 2 - 1; }
      }
      found.push({
        first, means: heard ? Array.from(sums, (sum) => sum / heard) : null, valence: withValence ? v / withValence : null,
      });
    }
    const pooled = D.pooled * rows > 1 ? Math.round(D.pooled * rows) : 1;
    note.textContent = pooled > 1
      ? "Each pixel is the mean of about " + pooled + " rows (" + (rows / D.rate).toPrecision(2) + " s); zoom in for single ones."
      : "Every row is drawn (" + (1 / D.rate).toPrecision(2) + " s each). Values are kept in steps of 0.4 %; trajectory.csv has them in full.";
    return found;
  };

  const broken = (pen, found, y) => {
    let drawing = false;
    pen.beginPath();
    found.forEach((column, p) => {
      const at = y(column);
      if (at === null) { drawing = false; return; }
      if (drawing) pen.lineTo(LEFT + p + 0.5, at); else pen.moveTo(LEFT + p, at);
      if (!drawing) pen.lineTo(LEFT + p + 1, at);
      drawing = true;
    });
    pen.stroke();
  };

  // a label's name where its ribbon is highest: ribbons are told apart without colour
  const name = (pen, found, base) => {
    for (let c = 0; c < classes; c++) {
      let best = null, most = 0;
      found.forEach((column, p) => {
        if (!shownOf[c] || !column.means || p < 40 || p > found.length - 40) return;
        const around = [p - 25, p, p + 25].map((q) => (found[q].means ? found[q].means[c] : 0)), least = Math.min(...around);
        if (least > most) { most = least; best = p; }
      });
      if (best === null || most * MAIN < 16) continue;
      halo(pen, D.labels[c], LEFT + best, base - found[best].floors[c] - (found[best].means[c] * MAIN) / 2 + 4, "center");
    }
  };

  const halo = (pen, text, x, y, align) => {
    pen.textAlign = align; pen.lineWidth = 3; pen.lineJoin = "round";
    pen.strokeStyle = "rgba(255,255,255,.85)"; pen.strokeText(text, x, y);
    pen.fillStyle = INK; pen.fillText(text, x, y);
  };

  const upright = (pen, text, middle) => {
    pen.save(); pen.translate(12, middle); pen.rotate(-Math.PI / 2); pen.textAlign = "center"; pen.fillText(text, 0, 0); pen.restore();
  };

  const draw = () => {
    const [pen, wide] = ready(course, height);
    pen.clearRect(0, 0, wide, height);
    const found = columns(), base = TOP + MAIN, dashes = [[], [6, 3], [2, 2], [8, 2, 2, 2]];
    const yOf = (v) => base - ((v - D.low) / (D.high - D.low || 1)) * MAIN;
    pen.fillStyle = FAINT;
    pen.textAlign = "right";
    for (const v of D.heights) {
      pen.fillText(String(v).replace("-", "−"), LEFT - 6, yOf(v) + 4);
      if (!D.stacked) { pen.fillStyle = GRID; pen.fillRect(LEFT, yOf(v), width(), 1); pen.fillStyle = FAINT; }
    }
    upright(pen, D.axis, TOP + MAIN / 2);
    if (stacked) {
      found.forEach((column, p) => {
        if (!column.means) return;
        const whole = column.means.reduce((a, b) => a + b, 0) || 1; // bytes round, ribbons fill the height
        let below = 0;
        for (let c = 0; c < classes; c++) {
          if (!shownOf[c]) continue;
          const tall = (column.means[c] / whole) * MAIN;
          pen.fillStyle = D.colours[c];
          pen.fillRect(LEFT + p, base - below - tall, 1.05, tall);
          pen.fillStyle = "#fff";
          pen.fillRect(LEFT + p, base - below - 0.5, 1.05, 1);
          column.floors = column.floors || [];
          column.floors[c] = below;
          below += tall;
        }
      });
      name(pen, found, base);
    } else {
      for (let c = 0; c < classes; c++) {
        if (!shownOf[c]) continue;
        pen.strokeStyle = D.colours[c];
        pen.lineWidth = 1.8;
        pen.setLineDash(dashes[c % dashes.length]);
        broken(pen, found, (column) => (column.means ? yOf(column.means[c]) : null));
      }
      pen.setLineDash([]);
    }
    pen.strokeStyle = GRID;
    pen.strokeRect(LEFT, TOP, width(), MAIN);
    let y = base;
    if (valence) {
      const middle = base + GUTTER + VALENCE / 2, half = VALENCE / 2 - 4;
      pen.fillStyle = FAINT;
      pen.fillText("+1", LEFT - 6, middle - half + 4); pen.fillText("−1", LEFT - 6, middle + half + 4);
      upright(pen, "valence", middle);
      pen.fillRect(LEFT, middle, width(), 0.7);
      pen.strokeStyle = INK;
      pen.lineWidth = 1.4;
      broken(pen, found, (column) => (column.valence === null ? null : middle - column.valence * half));
      y = base + GUTTER + VALENCE;
    }
    for (let lane = 0; lane < lanes; lane++) {
      const top = y + GUTTER + lane * LANE;
      pen.fillStyle = D.speakerColours[lane];
      found.forEach((column, p) => { if (column.means && speaker[column.first] === lane) pen.fillRect(LEFT + p, top, 1.05, LANE - 5); });
      pen.fillStyle = INK; pen.textAlign = "right";
      pen.fillText(called[lane], LEFT - 6, top + LANE - 7);
    }
    pen.fillStyle = FAINT;
    const many = Math.max(2, Math.min(12, Math.floor(width() / 80)));
    const step = D.ticks.find((one) => (to - from) / one <= many) || D.ticks[D.ticks.length - 1];
    pen.textAlign = "center";
    for (let i = Math.ceil(from / step - 1e-6); i * step <= to + 1e-6; i++) {
      const at = xOf(i * step), text = step < 1 ? clock(i * step) : clock(i * step).slice(0, -2);
      pen.fillRect(at, height - 24, 1, 4);
      pen.fillText(text, Math.min(at, LEFT + width() + RIGHT - wideOf(text) / 2), height - 8);
    }
    pen.textAlign = "center";
    for (const [time, rank] of D.changes) {
      if (time < from || time > to) continue;
      pen.strokeStyle = pen.fillStyle = "#000";
      pen.setLineDash([5, 3]); pen.lineWidth = 1;
      pen.beginPath(); pen.moveTo(xOf(time), TOP); pen.lineTo(xOf(time), height - 24); pen.stroke();
      pen.setLineDash([]);
      pen.beginPath(); pen.arc(xOf(time), 11, 9, 0, 7); pen.stroke();
      pen.fillText(String(rank), xOf(time), 15);
    }
    for (const [time, colour] of [[cursor, FAINT], [audio && audio.currentTime > 0 ? audio.currentTime : null, "#B00020"]]) {
      if (time === null || time < from || time > to) continue;
      pen.strokeStyle = colour; pen.lineWidth = 1.5;
      pen.beginPath(); pen.moveTo(xOf(time), TOP); pen.lineTo(xOf(time), height - 24); pen.stroke();
    }
  };

  const drawPath = () => {
    const [pen, wide] = ready(pathCanvas, 420), there = D.path.filter((point) => point);
    pen.clearRect(0, 0, wide, 420);
    if (!there.length) return;
    const flat = (i) => there.map((point) => (point.length > i ? point[i] : 0));
    const [xs, ys] = [flat(0), flat(1)];
    const scale = Math.min((wide - 80) / (Math.max(...xs) - Math.min(...xs) || 1), 370 / (Math.max(...ys) - Math.min(...ys) || 1));
    const place = (point) => [
      wide / 2 + (point[0] - (Math.max(...xs) + Math.min(...xs)) / 2) * scale,
      205 - ((point[1] || 0) - (Math.max(...ys) + Math.min(...ys)) / 2) * scale,
    ];
    const tint = (i) => "hsl(" + (265 - (210 * i) / D.path.length) + " 70% " + (26 + (38 * i) / D.path.length) + "%)";
    const lasts = {}; // of each speaker: nobody's path leads to another's
    D.path.forEach((point, i) => {
      if (!point) return;
      const at = place(point), last = lasts[D.pathOwner[i]];
      if (last) {
        pen.strokeStyle = tint(i); pen.lineWidth = last[2] === i - 1 ? 1.8 : 0.8;
        pen.setLineDash(last[2] === i - 1 ? [] : [2, 3]);
        pen.beginPath(); pen.moveTo(last[0], last[1]); pen.lineTo(at[0], at[1]); pen.stroke();
      }
      lasts[D.pathOwner[i]] = [at[0], at[1], i];
    });
    pen.setLineDash([]);
    const mark = (at, text, square) => {
      pen.fillStyle = "#fff"; pen.strokeStyle = "#000"; pen.lineWidth = 1.2;
      pen.beginPath();
      if (square) pen.rect(at[0] - 6, at[1] - 6, 12, 12); else pen.arc(at[0], at[1], text ? 9 : 6, 0, 7);
      pen.fill(); pen.stroke();
      pen.fillStyle = "#000"; pen.textAlign = "center"; pen.fillText(text, at[0], at[1] + 4);
    };
    mark(place(there[0]), "", false); mark(place(there[there.length - 1]), "", true);
    const near = (time) => {
      let best = null, far = Infinity;
      D.path.forEach((point, i) => { const off = Math.abs((i + 0.5) * D.hop - time); if (point && off < far) { far = off; best = point; } });
      return place(best);
    };
    for (const [time, rank] of D.changes) mark(near(time), String(rank), false);
    if (cursor !== null) { const at = near(cursor); pen.fillStyle = "#B00020"; pen.beginPath(); pen.arc(at[0], at[1], 5, 0, 7); pen.fill(); }
    pen.fillStyle = FAINT; pen.textAlign = "left";
    pen.fillText(D.explained.map((share, i) => "component " + (i + 1) + (i ? " up: " : " across: ") + Math.round(share * 100) + " %").join(",  "), 8, 414);
  };

  const say = () => {
    readout.textContent = "";
    if (cursor === null) return;
    const row = rowAt(cursor), put = (text, strong) => { const e = document.createElement(strong ? "b" : "span"); e.textContent = text; readout.append(e); };
    put(clock(cursor) + "  ", true);
    if (speaker && speaker[row] < D.speakers.length) put(D.speakers[speaker[row]] + "  ", true);
    if (isGap(row)) { put("nothing is said"); return; }
    const order = D.labels.map((_, c) => c).sort((a, b) => value(row, b) - value(row, a));
    put((D.stacked ? order : D.labels.map((_, c) => c)).map((c) => D.labels[c] + " " + value(row, c).toFixed(2)).join(" · "));
    if (valence && valence[row] !== GAP) put("  valence " + ((valence[row] / LEVELS) * 2 - 1).toFixed(2));
  };
  const refresh = () => { draw(); drawPath(); say(); };
  const look = (a, b) => {
    const span = Math.min(D.seconds, Math.max(Math.min(1, D.seconds), b - a));
    from = Math.min(Math.max(0, a), D.seconds - span);
    to = from + span;
    refresh();
  };
  const zoom = (by, around) => look(around - (around - from) * by, around + (to - around) * by);
  const centre = () => (cursor !== null && cursor >= from && cursor <= to ? cursor : (from + to) / 2);
  const play = (time) => { if (audio) { audio.currentTime = time; audio.play().catch(() => { note.textContent = "The recording cannot be played from here: " + decodeURIComponent(audio.getAttribute("src")); }); } };
  const point = (time) => { cursor = Math.min(D.seconds, Math.max(0, time)); refresh(); };

  let held = null;
  course.addEventListener("pointerdown", (e) => { held = { x: e.clientX, from, to, moved: false }; course.setPointerCapture(e.pointerId); });
  course.addEventListener("pointermove", (e) => {
    if (held && (held.moved || Math.abs(e.clientX - held.x) > 4)) {
      held.moved = true;
      const by = ((held.x - e.clientX) / width()) * (held.to - held.from);
      look(held.from + by, held.to + by);
    } else point(timeOf(e.offsetX));
  });
  course.addEventListener("pointerup", (e) => { if (held && !held.moved) { point(timeOf(e.offsetX)); play(cursor); } held = null; });
  course.addEventListener("wheel", (e) => { if (e.ctrlKey) { e.preventDefault(); zoom(e.deltaY > 0 ? 1.25 : 0.8, timeOf(e.offsetX)); } }, { passive: false });
  course.addEventListener("keydown", (e) => {
    const step = (to - from) / 100, at = centre();
    const keys = {
      ArrowRight: () => point(at + step), ArrowLeft: () => point(at - step), "+": () => zoom(0.8, at), "-": () => zoom(1.25, at),
      Home: () => look(0, to - from), End: () => look(D.seconds - (to - from), D.seconds),
      " ": () => { if (audio) { if (audio.paused) play(at); else audio.pause(); } },
    };
    if (keys[e.key]) { e.preventDefault(); keys[e.key](); }
  });
  document.getElementById("in").addEventListener("click", () => zoom(0.5, centre()));
  document.getElementById("out").addEventListener("click", () => zoom(2, centre()));
  document.getElementById("all").addEventListener("click", () => look(0, D.seconds));
  const kind = document.getElementById("kind");
  if (kind) kind.addEventListener("click", () => { stacked = !stacked; kind.textContent = stacked ? "lines" : "ribbons"; refresh(); });
  document.querySelectorAll("button[data-time]").forEach((button) => button.addEventListener("click", () => {
    const time = Number(button.dataset.time);
    if (time < from || time > to) look(time - (to - from) / 2, time + (to - from) / 2);
    point(time);
    play(time);
  }));
  const keys = document.getElementById("keys");
  D.labels.forEach((label, c) => {
    const button = document.createElement("button"), patch = document.createElement("i");
    button.type = "button"; button.setAttribute("aria-pressed", "true");
    patch.style.background = D.colours[c];
    button.append(patch, label);
    button.addEventListener("click", () => { shownOf[c] = !shownOf[c]; button.setAttribute("aria-pressed", String(shownOf[c])); refresh(); });
    keys.append(button);
  });
  if (audio) audio.addEventListener("timeupdate", draw);
  window.addEventListener("resize", refresh);
  refresh();
})();
