"use strict";
(() => {
  const D = JSON.parse(document.getElementById("data").textContent);
  const many = D.ids.length, MARGIN = 26, TALL = 600, INK = "#1f2933";
  const canvas = document.getElementById("map"), tip = document.getElementById("tip"), audio = document.getElementById("audio");
  const playing = document.getElementById("playing"), count = document.getElementById("count"), find = document.getElementById("find");
  const off = new Set(); // clusters that are switched off
  let zoom = 1, panX = 0, panY = 0, at = -1, chosen = -1, until = Infinity, hits = null, awaited = false;

  const label = (p) => (D.labels && D.labels.of[p] >= 0 ? D.labels.names[D.labels.of[p]] : null);
  const speaker = (p) => (D.speakers && D.speakers.of[p] >= 0 ? D.speakers.names[D.speakers.of[p]] : null);
  const named = (number) => (number < 1 ? "noise" : "cluster " + number);
  const wide = () => canvas.clientWidth || 900;
  const spanX = Math.max(D.x.reduce((a, b) => Math.max(a, b), 0), 1e-6), spanY = Math.max(D.y.reduce((a, b) => Math.max(a, b), 0), 1e-6);
  // a map of components keeps its proportions; UMAP's has none
  const place = (p) => {
    const [w, h] = [wide(), TALL], scale = D.keepShape ? Math.min((w - 2 * MARGIN) / spanX, (h - 2 * MARGIN) / spanY) : 0;
    const x = D.keepShape ? w / 2 + (D.x[p] - spanX / 2) * scale : MARGIN + D.x[p] * (w - 2 * MARGIN);
    const y = D.keepShape ? h / 2 - (D.y[p] - spanY / 2) * scale : h - MARGIN - D.y[p] * (h - 2 * MARGIN);
    return [w / 2 + (x - w / 2) * zoom + panX, h / 2 + (y - h / 2) * zoom + panY];
  };
  const shown = (p) => !off.has(D.cluster[p]) && (!hits || hits[p]);
  const order = Array.from({ length: many }, (_, p) => p).sort((a, b) => D.cluster[a] - D.cluster[b]); // noise lies below

  // a mark for each eight colours and within them: clusters are told apart without colour
  const MARKS = ["circle", "square", "up", "diamond", "down", "plus", "cross", "star"];
  const markOf = (number) => (number < 1 ? "dot" : MARKS[(Math.floor((number - 1) / 8) + number - 1) % 8]);
  const trace = (pen, mark, x, y, r) => {
    const poly = (points) => { points.forEach(([a, b], i) => (i ? pen.lineTo(x + a * r, y + b * r) : pen.moveTo(x + a * r, y + b * r))); pen.closePath(); };
    if (mark === "square") pen.rect(x - r * 0.9, y - r * 0.9, r * 1.8, r * 1.8);
    else if (mark === "up") poly([[0, -1.2], [1.1, 0.9], [-1.1, 0.9]]);
    else if (mark === "down") poly([[0, 1.2], [1.1, -0.9], [-1.1, -0.9]]);
    else if (mark === "diamond") poly([[0, -1.3], [1.1, 0], [0, 1.3], [-1.1, 0]]);
    else if (mark === "plus") { pen.rect(x - r * 1.2, y - r * 0.4, r * 2.4, r * 0.8); pen.rect(x - r * 0.4, y - r * 1.2, r * 0.8, r * 2.4); }
    else if (mark === "cross") poly([[-1.2, -0.7], [-0.7, -1.2], [0, -0.5], [0.7, -1.2], [1.2, -0.7], [0.5, 0], [1.2, 0.7], [0.7, 1.2], [0, 0.5], [-0.7, 1.2], [-1.2, 0.7], [-0.5, 0]]);
    else if (mark === "star") poly(Array.from({ length: 10 }, (_, i) => [Math.sin((i * Math.PI) / 5) * (i % 2 ? 0.55 : 1.3), -Math.cos((i * Math.PI) / 5) * (i % 2 ? 0.55 : 1.3)]));
    else { pen.moveTo(x + r, y); pen.arc(x, y, mark === "dot" ? r * 0.7 : r, 0, 7); }
  };

  let grid = new Map(); // 24-pixel cells -> points, for what lies under the pointer
  const CELL = 24;
  const draw = () => {
    const ratio = window.devicePixelRatio || 1, w = wide();
    canvas.style.setProperty("height", TALL + "px");
    canvas.width = Math.round(w * ratio);
    canvas.height = Math.round(TALL * ratio);
    const pen = canvas.getContext("2d"), r = Math.max(1.6, Math.min(5, 260 / Math.sqrt(many + 1))) * Math.min(2, Math.sqrt(zoom));
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, w, TALL);
    grid = new Map();
    const sums = new Map();
    let last = null;
    pen.globalAlpha = 0.75;
    for (const p of order) {
      if (!shown(p)) continue;
      const [x, y] = place(p), number = D.cluster[p];
      if (number !== last) {
        if (last !== null) pen.fill();
        pen.beginPath();
        pen.fillStyle = D.colours[number];
        last = number;
      }
      const sum = sums.get(number) || [[], []];
      sum[0].push(x); sum[1].push(y);
      sums.set(number, sum);
      if (x < -9 || y < -9 || x > w + 9 || y > TALL + 9) continue;
      trace(pen, markOf(number), x, y, r);
      const cell = Math.floor(x / CELL) * 1000 + Math.floor(y / CELL);
      if (grid.has(cell)) grid.get(cell).push(p); else grid.set(cell, [p]);
    }
    if (last !== null) pen.fill();
    pen.globalAlpha = 1;
    pen.font = "bold 15px system-ui, sans-serif";
    pen.textAlign = "center";
    for (const [number, [xs, ys]] of sums) {
      if (number < 1) continue;
      xs.sort((a, b) => a - b); ys.sort((a, b) => a - b);
      const x = xs[xs.length >> 1], y = ys[ys.length >> 1] + 5;
      pen.lineWidth = 4; pen.lineJoin = "round"; pen.strokeStyle = "rgba(255,255,255,.9)";
      pen.strokeText(String(number), x, y);
      pen.fillStyle = INK;
      pen.fillText(String(number), x, y);
    }
    for (const [p, colour] of [[chosen, "#B00020"], [at, "#000"]]) {
      if (p < 0) continue;
      const [x, y] = place(p);
      pen.strokeStyle = colour; pen.lineWidth = 2;
      pen.beginPath(); pen.arc(x, y, r + 4, 0, 7); pen.stroke();
    }
  };
  const refresh = () => { if (!awaited) { awaited = true; requestAnimationFrame(() => { awaited = false; draw(); }); } };

  const under = (x, y) => {
    let best = -1, far = 14;
    for (let i = -1; i <= 1; i++) for (let j = -1; j <= 1; j++) {
      for (const p of grid.get((Math.floor(x / CELL) + i) * 1000 + Math.floor(y / CELL) + j) || []) {
        const [a, b] = place(p), away = Math.hypot(a - x, b - y);
        if (away < far) { far = away; best = p; }
      }
    }
    return best;
  };
  const line = (text, strong) => { const e = document.createElement(strong ? "b" : "span"); e.textContent = text; e.dir = "auto"; tip.append(e); };
  const hover = (p) => {
    at = p;
    tip.hidden = p < 0;
    tip.textContent = "";
    if (p >= 0) {
      line(D.ids[p], true);
      line([named(D.cluster[p]), label(p), speaker(p)].filter((part) => part !== null).join(" · "));
      if (D.texts && D.texts[p]) line("“" + D.texts[p] + "”");
      if (D.file && D.file[p] !== null) line("click plays it");
      const [x, y] = place(p), left = x > wide() / 2;
      tip.style.left = left ? "auto" : x + 14 + "px";
      tip.style.right = left ? wide() - x + 14 + "px" : "auto";
      tip.style.top = Math.max(0, Math.min(TALL - 90, y - 12)) + "px";
    }
    refresh();
  };

  const play = (p) => {
    chosen = p;
    refresh();
    const about = D.ids[p] + (label(p) === null ? "" : " · " + label(p)) + (D.texts && D.texts[p] ? " · “" + D.texts[p] + "”" : "");
    if (!D.file || D.file[p] === null) { playing.textContent = about + " (its file is not here)"; return; }
    const url = D.files[D.file[p]], start = D.start[p] || 0;
    until = D.end[p] === null ? Infinity : D.end[p];
    const begin = () => { audio.currentTime = start; audio.play().catch(failed); };
    const failed = () => { playing.textContent = about + " cannot be played from here: " + decodeURIComponent(url); };
    audio.hidden = false;
    playing.textContent = about;
    audio.onerror = failed;
    if (audio.getAttribute("src") === url && audio.readyState > 0) begin();
    else { audio.src = url; audio.addEventListener("loadedmetadata", begin, { once: true }); audio.load(); }
  };
  audio.addEventListener("timeupdate", () => { if (audio.currentTime >= until) audio.pause(); });

  const zoomBy = (by, x, y) => {
    const next = Math.min(60, Math.max(1, zoom * by)), real = next / zoom, cx = wide() / 2, cy = TALL / 2;
    panX = (x - cx) - (x - cx - panX) * real;
    panY = (y - cy) - (y - cy - panY) * real;
    zoom = next;
    if (zoom === 1) panX = panY = 0;
    refresh();
  };
  let held = null;
  canvas.addEventListener("pointerdown", (e) => { held = { x: e.clientX, y: e.clientY, panX, panY, moved: false }; canvas.setPointerCapture(e.pointerId); });
  canvas.addEventListener("pointermove", (e) => {
    if (held && (held.moved || Math.hypot(e.clientX - held.x, e.clientY - held.y) > 4)) {
      held.moved = true;
      panX = held.panX + e.clientX - held.x;
      panY = held.panY + e.clientY - held.y;
      tip.hidden = true;
      refresh();
    } else hover(under(e.offsetX, e.offsetY));
  });
  canvas.addEventListener("pointerup", (e) => { if (held && !held.moved) { const p = under(e.offsetX, e.offsetY); if (p >= 0) play(p); } held = null; });
  canvas.addEventListener("pointerleave", () => hover(-1));
  canvas.addEventListener("wheel", (e) => { e.preventDefault(); zoomBy(e.deltaY > 0 ? 0.8 : 1.25, e.offsetX, e.offsetY); }, { passive: false });
  const nextTo = (dx, dy) => { // the nearest point in that direction
    const from = at >= 0 ? place(at) : [wide() / 2, TALL / 2];
    let best = -1, far = Infinity;
    for (let p = 0; p < many; p++) {
      if (p === at || !shown(p)) continue;
      const [x, y] = place(p), along = (x - from[0]) * dx + (y - from[1]) * dy, aside = Math.abs((x - from[0]) * dy) + Math.abs((y - from[1]) * dx);
      if ((at < 0 || along > 0.5) && along + 2 * aside < far && (at < 0 || aside <= along * 1.5)) { far = along + 2 * aside; best = p; }
    }
    if (best >= 0) hover(best);
  };
  canvas.addEventListener("keydown", (e) => {
    const keys = {
      ArrowRight: () => nextTo(1, 0), ArrowLeft: () => nextTo(-1, 0), ArrowUp: () => nextTo(0, -1), ArrowDown: () => nextTo(0, 1),
      "+": () => zoomBy(1.25, wide() / 2, TALL / 2), "-": () => zoomBy(0.8, wide() / 2, TALL / 2),
      Enter: () => { if (at >= 0) play(at); }, " ": () => { if (audio.paused && at >= 0) play(at); else audio.pause(); }, Escape: () => hover(-1),
    };
    if (keys[e.key]) { e.preventDefault(); keys[e.key](); }
  });
  document.getElementById("in").addEventListener("click", () => zoomBy(1.6, wide() / 2, TALL / 2));
  document.getElementById("out").addEventListener("click", () => zoomBy(1 / 1.6, wide() / 2, TALL / 2));
  document.getElementById("all").addEventListener("click", () => { zoom = 1; panX = panY = 0; refresh(); });
  document.querySelectorAll("button[data-point]").forEach((button) => button.addEventListener("click", () => { hover(Number(button.dataset.point)); play(at); }));

  find.addEventListener("input", () => {
    const wanted = find.value.trim().toLowerCase();
    hits = null;
    count.textContent = "";
    if (wanted) {
      hits = new Uint8Array(many);
      let some = 0;
      for (let p = 0; p < many; p++) {
        const said = [D.ids[p], D.texts && D.texts[p], label(p), speaker(p)].some((part) => part && part.toLowerCase().includes(wanted));
        if (said) { hits[p] = 1; some++; }
      }
      count.textContent = some + " of " + many;
    }
    hover(-1);
  });
  const keys = document.getElementById("keys");
  const sizes = new Map();
  for (const number of D.cluster) sizes.set(number, (sizes.get(number) || 0) + 1);
  for (const number of Array.from(sizes.keys()).sort((a, b) => (a < 1) - (b < 1) || a - b)) {
    const button = document.createElement("button"), patch = document.createElement("canvas");
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    patch.width = patch.height = 24;
    for (const [name, value] of [["width", "12px"], ["height", "12px"], ["display", "inline-block"], ["border", "0"], ["marginRight", "6px"]]) patch.style[name] = value;
    const pen = patch.getContext("2d");
    pen.fillStyle = D.colours[number];
    pen.beginPath(); trace(pen, markOf(number), 12, 12, 8); pen.fill();
    button.append(patch, named(number) + " (" + sizes.get(number) + ")");
    button.addEventListener("click", () => {
      if (off.has(number)) off.delete(number); else off.add(number);
      button.setAttribute("aria-pressed", String(!off.has(number)));
      hover(-1);
    });
    keys.append(button);
  }
  window.addEventListener("resize", refresh);
  draw();
})();
