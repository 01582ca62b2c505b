// The drawings of a set's page: graphs with one layout for all contexts, neighbours, and the heat map. Names come from
// users: they enter the page as text only.
(() => {
  "use strict";
  const { svg, html } = window.chromattendElements;
  const data = JSON.parse(document.getElementById("graphs-data").textContent);
  const RING = data.sectors.length > 0;
  const MARGIN = RING ? 46 : 22;
  const WIDTHS = 6;
  const NEAR = 24;

  const signed = (value, places = 2) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(places);
  const one = (value) => Math.round(value * 10) / 10;
  const byId = (id) => document.getElementById(id);

  const nodes = data.nodes.map(([name, group, x, y, position]) => ({
    name, group, position, at: [x, y], x: 0, y: 0,
  }));

  // Panels are drawn in pixels of their width, so that text has one size; all panels of an estimator have one width.
  let SIZE = 400;
  let radius = 4;
  function resize(width) {
    SIZE = width;
    for (const node of nodes) [node.x, node.y] = node.at.map((part) => MARGIN + part * (SIZE - 2 * MARGIN));
    const room = RING ? (SIZE - 2 * MARGIN) / nodes.length : SIZE / Math.sqrt(nodes.length + 1) / 7;
    radius = Math.max(1.7, Math.min(RING ? 6.5 : 5, room));
  }
  const numberOf = new Map(nodes.map((node, number) => [node.name, number]));

  // ---- The edges of each panel: one per pair, {a, b, r, shared, name}; name is the class that is said of it
  function edgesOf(made, context) {
    const pairs = new Map();
    made.first.forEach((a, row) => {
      const b = made.second[row];
      const kind = made.class[row];
      const own = made.context[row];
      if (own >= 0 && own !== context) return;
      const key = a + "-" + b;
      const before = pairs.get(key);
      const value = made.values && context >= 0 ? made.values[row][context] : made.r[row];
      const shared = kind === "shared" || kind === "modulated";
      // What a context adds to a shared edge is drawn with it, at the strength that the edge has in this context.
      if (before) {
        before.name = "shared, modulated";
        if (own >= 0) before.r = value;
      } else pairs.set(key, { a, b, r: value, shared, name: kind, row });
    });
    return [...pairs.values()];
  }

  const cache = new Map();
  function panelEdges(estimator, context) {
    const key = estimator + " " + context;
    if (!cache.has(key)) cache.set(key, edgesOf(data.estimators[estimator], context));
    return cache.get(key);
  }

  function line(a, b) {
    const [x1, y1, x2, y2] = [nodes[a].x, nodes[a].y, nodes[b].x, nodes[b].y].map(one);
    if (!RING) return `M${x1} ${y1}L${x2} ${y2}`;
    // The further apart two variables are on the ring, the nearer to its centre their edge passes.
    const centre = SIZE / 2;
    const reach = SIZE / 2 - MARGIN;
    const apart = Math.acos(Math.max(-1, Math.min(1, ((x1 - centre) * (x2 - centre) + (y1 - centre) * (y2 - centre)) / reach / reach)));
    const bend = 1 - 0.92 * Math.sqrt(apart / Math.PI);
    let [mx, my] = [(x1 + x2) / 2 - centre, (y1 + y2) / 2 - centre];
    const length = Math.hypot(mx, my) || 1;
    [mx, my] = [centre + (mx / length) * reach * bend, centre + (my / length) * reach * bend];
    return `M${x1} ${y1}Q${one(mx)} ${one(my)} ${x2} ${y2}`;
  }

  const strongest = (made) => Math.max(1e-9, ...made.r.map(Math.abs), ...(made.values || []).flat().map(Math.abs));

  // Classes of an edge's look; edges of one look are one path, so that thousands are drawn at once.
  function look(made, edge, context) {
    if (!made.difference) return edge.shared ? "shared" : edge.name === "single" ? "own context-0" : "own context-" + context;
    if (!made.values) return "own " + (edge.r < 0 ? "less" : "more");
    const [first, second] = made.values[edge.row];
    return "own context-" + (Math.abs(second) > Math.abs(first) ? 1 : 0);
  }

  function drawEdges(parent, made, edges, context, kind) {
    const limit = strongest(made);
    const widest = Math.max(1.4, Math.min(5, 5 * Math.pow(120 / Math.max(edges.length, 1), 0.4)));
    const wide = kind === "near" ? Math.max(3.4, widest) : widest;
    const looks = new Map();
    for (const edge of edges) {
      const step = Math.min(WIDTHS - 1, Math.floor((Math.abs(edge.r) / limit) * WIDTHS));
      const key = [look(made, edge, context), step, edge.r < 0 ? 1 : 0].join("|");
      if (!looks.has(key)) looks.set(key, []);
      looks.get(key).push(line(edge.a, edge.b));
    }
    // Shared edges are beneath, and strong ones above.
    const order = [...looks.keys()].sort((a, b) => (a.startsWith("own") - b.startsWith("own")) || Number(a.split("|")[1]) - Number(b.split("|")[1]));
    for (const key of order) {
      const [classes, step, negative] = key.split("|");
      const width = one(0.35 + ((Number(step) + 0.7) / WIDTHS) * (wide - 0.35));
      const path = svg("path", { class: `edge ${kind} ${classes}`, d: looks.get(key).join(""), "stroke-width": width });
      if (negative === "1") path.setAttribute("stroke-dasharray", `${one(Math.max(3, width * 2))} ${one(Math.max(2, width * 1.3))}`);
      parent.append(path);
    }
  }

  const disc = (node, r) => `M${one(node.x - r)} ${one(node.y)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;

  function drawNodes(parent, chosen, kind, r) {
    const groups = new Map();
    for (const number of chosen) {
      const node = nodes[number];
      if (!groups.has(node.group)) groups.set(node.group, []);
      groups.get(node.group).push(disc(node, r));
    }
    for (const [group, parts] of groups)
      parent.append(svg("path", { class: `node ${kind}` + (group >= 0 ? " group-" + group : ""), d: parts.join("") }));
  }

  const angleOf = (node) => Math.atan2(node.x - SIZE / 2, SIZE / 2 - node.y);

  function outside(node, distance) {
    const angle = angleOf(node);
    const reach = SIZE / 2 - MARGIN + distance;
    return [SIZE / 2 + Math.sin(angle) * reach, SIZE / 2 - Math.cos(angle) * reach, angle];
  }

  function drawRing(parent) {
    const reach = SIZE / 2 - MARGIN + 21;
    data.sectors.forEach(([name, start, end]) => {
      const group = data.groups.indexOf(name);
      const point = (angle, far) => [SIZE / 2 + Math.sin(angle) * far, SIZE / 2 - Math.cos(angle) * far];
      const [x1, y1] = point(start, reach);
      const [x2, y2] = point(end, reach);
      parent.append(svg("path", { class: "sector group-" + group, d: `M${one(x1)} ${one(y1)}A${reach} ${reach} 0 ${end - start > Math.PI ? 1 : 0} 1 ${one(x2)} ${one(y2)}` }));
      // Names follow the ring, upright: in the lower half they run the other way.
      const middle = (start + end) / 2;
      const lower = Math.cos(middle) < -0.05;
      const far = reach + (lower ? 14 : 6);
      const [a, b] = lower ? [end, start] : [start, end];
      const [ax, ay] = point(a, far);
      const [bx, by] = point(b, far);
      const id = "arc-" + ++drawRing.number;
      parent.append(svg("path", { id, fill: "none", d: `M${one(ax)} ${one(ay)}A${far} ${far} 0 ${end - start > Math.PI ? 1 : 0} ${lower ? 0 : 1} ${one(bx)} ${one(by)}` }));
      const text = svg("text", { class: "sector-name group-" + group, "text-anchor": "middle" });
      const room = Math.floor(((end - start) * far) / 6.6);
      text.append(svg("textPath", { href: "#" + id, startOffset: "50%" }, name.length > room ? name.slice(0, Math.max(1, room - 1)) + "…" : name));
      parent.append(text);
    });
    if ((2 * Math.PI * (SIZE / 2 - MARGIN)) / nodes.length < 11) return;
    for (const node of nodes) {
      const [x, y] = outside(node, 12);
      parent.append(svg("text", { class: "bin", x: one(x), y: one(y + 3.4), "text-anchor": "middle" }, node.position));
    }
  }
  drawRing.number = 0;

  // Names of the most connected variables, as far as they overlap no other name.
  function drawNames(parent, degrees, most) {
    const taken = [];
    const order = nodes.map((_, number) => number).sort((a, b) => degrees[b] - degrees[a]).slice(0, most);
    for (const number of order) {
      const node = nodes[number];
      const name = node.name.length > 18 ? node.name.slice(0, 17) + "…" : node.name;
      const width = name.length * 5.6;
      const left = node.x + radius + 3 + width > SIZE;
      const box = left ? [node.x - radius - 3 - width, node.x - radius] : [node.x + radius, node.x + radius + 3 + width];
      if (taken.some(([a, b, y]) => a < box[1] && b > box[0] && Math.abs(y - node.y) < 11)) continue;
      taken.push([...box, node.y]);
      parent.append(svg("text", { class: "label base", x: one(left ? node.x - radius - 2 : node.x + radius + 2), y: one(node.y + 3.5), "text-anchor": left ? "end" : "start" }, name));
    }
  }

  // ---- Panels
  let estimator = Object.keys(data.estimators)[0];
  let pinned = null;
  const panels = () => [...document.querySelectorAll(".panel")].filter((panel) => !panel.hidden && !panel.closest("[hidden]"));
  const contextOf = (panel) => Number(panel.dataset.context);

  function degreesOf(edges) {
    const degrees = new Array(nodes.length).fill(0);
    for (const { a, b } of edges) { degrees[a] += 1; degrees[b] += 1; }
    return degrees;
  }

  function draw(panel) {
    const owner = panel.closest(".estimator").dataset.estimator;
    const made = data.estimators[owner];
    const context = contextOf(panel);
    const edges = panelEdges(owner, context);
    const strong = [...edges].sort((a, b) => Math.abs(b.r) - Math.abs(a.r))[0];
    const title = context < 0 ? "Differences" : data.contexts[context];
    const said = strong ? `; the strongest is ${nodes[strong.a].name} and ${nodes[strong.b].name}, ${made.unit} ${signed(strong.r)}` : "";
    const picture = svg("svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, role: "img", "aria-label": `${title}: graph of ${edges.length} edges${said}. The table of edges below has the same content.` });
    if (RING) drawRing(picture);
    drawEdges(picture, made, edges, context, "base");
    drawNodes(picture, nodes.keys(), "base", one(radius));
    if (!RING) drawNames(picture, degreesOf(edges), nodes.length <= 70 ? Math.round(SIZE / 13) : 10);
    picture.append(svg("g", { class: "front" }));
    picture.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse") focus(nearest(picture, event) ?? pinned); });
    picture.addEventListener("pointerleave", () => focus(pinned));
    picture.addEventListener("click", (event) => {
      const near = nearest(picture, event);
      pin(near === null || near === pinned ? null : near);
    });
    panel.querySelector(".net").replaceChildren(picture);
    panel.dataset.drawn = SIZE;
  }

  function nearest(picture, event) {
    const box = picture.getBoundingClientRect();
    const scale = SIZE / box.width;
    const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    let best = null;
    let least = NEAR;
    nodes.forEach((node, number) => {
      const distance = Math.hypot(node.x - x, node.y - y);
      if (distance < least) [best, least] = [number, distance];
    });
    return best;
  }

  let focused;
  function focus(number) {
    if (number === focused) return;
    focused = number;
    for (const panel of panels()) {
      const picture = panel.querySelector("svg.focused, .net svg");
      const front = picture.querySelector(".front");
      picture.classList.toggle("focused", number !== null);
      front.replaceChildren();
      if (number === null) continue;
      const own = panel.closest(".estimator").dataset.estimator;
      const near = panelEdges(own, contextOf(panel)).filter((edge) => edge.a === number || edge.b === number);
      drawEdges(front, data.estimators[own], near, contextOf(panel), "near");
      const ends = near.map((edge) => (edge.a === number ? edge.b : edge.a));
      drawNodes(front, ends, "near", one(radius));
      drawNodes(front, [number], "centre", one(radius + 1.5));
      const named = [number, ...(ends.length <= 12 ? ends : ends.slice(0, 6))];
      const taken = [];
      for (const each of named) {
        const node = nodes[each];
        if (RING && each !== number) continue;
        const half = node.name.length * 3;
        const x = Math.max(half, Math.min(SIZE - half, RING ? SIZE / 2 + (node.x - SIZE / 2) * 0.8 : node.x));
        const y = RING ? SIZE / 2 + (node.y - SIZE / 2) * 0.84 : node.y - radius - 5;
        if (taken.some(([a, b, c]) => Math.abs(a - x) < b + half && Math.abs(c - y) < 11)) continue;
        taken.push([x, half, y]);
        front.append(svg("text", { class: "near", x: one(x), y: one(y), "text-anchor": "middle" }, node.name));
      }
    }
    tell(number);
  }

  function pin(number) {
    pinned = number;
    byId("variable").value = number === null ? "" : nodes[number].name;
    focus(number);
  }

  // ---- The neighbours of a variable in every panel, or the most connected variables
  const box = byId("neighbours");

  function table(label, headings) {
    const scroll = html("div", "scroll");
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", label);
    const made = html("table");
    const row = made.createTHead().insertRow();
    for (const heading of headings) {
      const cell = html("th", "", heading);
      cell.scope = "col";
      row.append(cell);
    }
    scroll.append(made);
    return [scroll, made.createTBody()];
  }

  function tell(number) {
    if (number === null) return hubs();
    const shown = panels();
    const made = data.estimators[estimator];
    const ends = new Map();
    shown.forEach((panel, column) => {
      for (const edge of panelEdges(estimator, contextOf(panel))) {
        if (edge.a !== number && edge.b !== number) continue;
        const other = edge.a === number ? edge.b : edge.a;
        if (!ends.has(other)) ends.set(other, { cells: [], row: edge.row });
        ends.get(other).cells[column] = edge;
      }
    });
    const strength = ({ cells }) => Math.max(...cells.map((edge) => (edge ? Math.abs(edge.r) : 0)));
    const order = [...ends].sort((a, b) => strength(b[1]) - strength(a[1]));
    const title = html("h3", "", nodes[number].name);
    const text = html("p", "note", order.length === 0 ? "has no edge by " + made.title + "." :
      `has ${order.length} neighbour${order.length === 1 ? "" : "s"} by ${made.title}; ${made.unit} in each context` + (made.difference ? ", and its change." : ", grey where it is not an edge."));
    if (order.length === 0) return box.replaceChildren(title, text);
    const columns = made.difference ? (made.values ? [...data.contexts, "Change"] : ["Change"]) : shown.map((panel) => data.contexts[contextOf(panel)]);
    const [scroll, body] = table("Neighbours of " + nodes[number].name, ["Neighbour", ...columns]);
    for (const [other, { cells, row }] of order) {
      const line = body.insertRow();
      const button = html("button", "", nodes[other].name);
      button.type = "button";
      button.addEventListener("click", () => pin(other));
      line.insertCell().append(button);
      if (made.difference) {
        for (const value of made.values ? made.values[row] : []) line.insertCell().textContent = signed(value);
        line.insertCell().textContent = signed(made.r[row]);
      } else shown.forEach((panel, column) => {
        const edge = cells[column];
        const cell = line.insertCell();
        if (edge) cell.textContent = signed(edge.r) + (edge.name === "single" ? "" : " " + edge.name);
        else {
          cell.className = "without";
          cell.textContent = made.values ? signed(made.values[row][contextOf(panel)]) : "–";
        }
      });
    }
    return box.replaceChildren(title, text, scroll);
  }

  function hubs() {
    const shown = panels();
    const degrees = shown.map((panel) => degreesOf(panelEdges(estimator, contextOf(panel))));
    const total = nodes.map((_, number) => degrees.reduce((sum, each) => sum + each[number], 0));
    const order = nodes.map((_, number) => number).filter((number) => total[number]).sort((a, b) => total[b] - total[a]).slice(0, 8);
    const title = html("h3", "", "Most connected variables");
    const text = html("p", "note", "Point at a variable, or choose one, to see its neighbours in every panel. A click keeps it, and Escape lets it go.");
    if (!order.length) return box.replaceChildren(text);
    const made = data.estimators[estimator];
    const [scroll, body] = table("Most connected variables", ["Variable", ...(made.difference ? ["Differences"] : shown.map((panel) => "Edges in " + data.contexts[contextOf(panel)]))]);
    for (const number of order) {
      const line = body.insertRow();
      const button = html("button", "", nodes[number].name);
      button.type = "button";
      button.addEventListener("click", () => pin(number));
      line.insertCell().append(button);
      for (const each of degrees) line.insertCell().textContent = each[number];
    }
    return box.replaceChildren(title, text, scroll);
  }

  // ---- Choices: the estimator, which is part of the address, the variable, and the contexts
  function refresh() {
    const width = Math.round(Math.max(260, ...panels().map((panel) => panel.querySelector(".net").clientWidth)));
    resize(width);
    for (const panel of panels()) if (panel.dataset.drawn !== String(width)) draw(panel);
    focused = undefined;
    focus(pinned);
    document.documentElement.dataset.drawn = "yes";
  }

  const choice = byId("estimator");

  function choose() {
    estimator = choice.value;
    for (const section of document.querySelectorAll(".estimator")) section.hidden = section.dataset.estimator !== estimator;
    refresh();
    drawHeat();
  }

  function fromAddress() {
    const match = /^#estimator=(.+)$/.exec(window.location.hash);
    const wanted = match && Object.keys(data.estimators).find((name) => encodeURIComponent(name) === match[1]);
    if (!wanted) return;
    choice.value = wanted;
    choose();
    byId("graphs").scrollIntoView();
  }

  choice.addEventListener("change", () => {
    choose();
    history.replaceState(null, "", "#estimator=" + encodeURIComponent(estimator));
  });

  byId("variables").append(...nodes.map(({ name }) => { const option = html("option"); option.value = name; return option; }));
  byId("variable").addEventListener("input", (event) => {
    const number = numberOf.get(event.target.value);
    if (number === undefined && event.target.value) return;
    pinned = number ?? null;
    focus(pinned);
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") pin(null); });

  const chooser = byId("chooser");
  if (chooser) {
    const boxes = [...chooser.querySelectorAll("input")];
    const most = boxes.filter((each) => each.checked).length;
    const order = boxes.filter((each) => each.checked);
    chooser.addEventListener("change", (event) => {
      if (event.target.checked) order.push(event.target); else order.splice(order.indexOf(event.target), 1);
      if (order.length > most) order.shift().checked = false;
      for (const panel of document.querySelectorAll(".panel")) {
        const context = contextOf(panel);
        panel.hidden = context >= 0 && !boxes[context].checked;
      }
      refresh();
    });
  }

  // ---- The heat map: one context above the diagonal, another one below
  const canvas = byId("heat");
  const decoded = new Map();

  function heatValues(kind, context) {
    const key = kind + " " + context;
    if (!decoded.has(key)) {
      const bytes = atob(data.heat.matrices[kind].data[context]);
      decoded.set(key, Int8Array.from(bytes, (sign) => sign.charCodeAt(0)));
    }
    return decoded.get(key);
  }

  function heatState() {
    const size = data.heat.names.length;
    const kind = byId("heat-kind").value;
    const above = Number((byId("heat-above") || { value: 0 }).value);
    const below = Number((byId("heat-below") || { value: 0 }).value);
    const matrix = data.heat.matrices[kind];
    const at = (i, j) => i * size - (i * (i + 1)) / 2 + (j - i - 1);
    const code = (i, j) => (i === j ? null : i < j ? heatValues(kind, above)[at(i, j)] : heatValues(kind, below)[at(j, i)]);
    return { size, kind, above, below, scale: matrix.scale, code };
  }

  function rgb(name) {
    const text = getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
    return [1, 3, 5].map((start) => parseInt(text.slice(start, start + 2), 16));
  }

  function edgesOfHeat(size) {
    const marked = new Map();
    const index = new Map(data.heat.names.map((name, number) => [name, number]));
    const made = data.estimators[estimator];
    for (let context = 0; context < data.contexts.length; context++) {
      const set = new Set();
      for (const { a, b } of made.difference ? [] : panelEdges(estimator, context)) {
        const [i, j] = [index.get(nodes[a].name), index.get(nodes[b].name)];
        if (i !== undefined && j !== undefined) set.add(Math.min(i, j) * size + Math.max(i, j));
      }
      marked.set(context, set);
    }
    return marked;
  }

  function blocks() {
    const made = [];
    (data.heat.groups || []).forEach((group, number) => {
      const last = made[made.length - 1];
      if (last && last.group === group) last.end = number + 1; else made.push({ group, start: number, end: number + 1 });
    });
    return made;
  }

  let heatPlace = null;

  function drawHeat() {
    if (!canvas || !canvas.parentElement.clientWidth) return;
    const { size, kind, above, below, scale, code } = heatState();
    const width = canvas.parentElement.clientWidth;
    const named = blocks();
    const left = named.length ? Math.min(96, width * 0.22) : 6;
    const cell = Math.max(Math.min((width - left - 2) / size, 24), 0);
    const full = cell * size;
    const top = 6;
    const height = Math.ceil(top + full + (named.length ? 24 : 8));
    const density = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * density);
    canvas.height = Math.round(height * density);
    canvas.style.height = height + "px";
    const paint = canvas.getContext("2d");
    paint.scale(density, density);
    const [paper, gain, loss] = [rgb("paper"), rgb("gain"), rgb("loss")];
    const image = new ImageData(size, size);
    for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) {
      const value = code(i, j);
      const end = value === null ? rgb.line || (rgb.line = rgb("line")) : value < 0 ? loss : gain;
      const share = value === null ? 1 : Math.abs(value) / 127;
      const at = 4 * (i * size + j);
      for (let channel = 0; channel < 3; channel++) image.data[at + channel] = paper[channel] + (end[channel] - paper[channel]) * share;
      image.data[at + 3] = 255;
    }
    const small = document.createElement("canvas");
    small.width = small.height = size;
    small.getContext("2d").putImageData(image, 0, 0);
    paint.imageSmoothingEnabled = cell < 1;
    paint.drawImage(small, left, top, full, full);
    const ink = getComputedStyle(document.documentElement);
    const colour = (name) => ink.getPropertyValue("--" + name).trim();
    // Dots are the edges of the chosen estimator, as far as they can be seen.
    if (cell >= 5) {
      paint.fillStyle = colour("ink");
      const marked = edgesOfHeat(size);
      for (const [context, upper] of [[above, true], [below, false]])
        for (const key of marked.get(context)) {
          const [i, j] = [Math.floor(key / size), key % size];
          const [row, column] = upper ? [i, j] : [j, i];
          paint.beginPath();
          paint.arc(left + (column + 0.5) * cell, top + (row + 0.5) * cell, Math.max(1, cell * 0.13), 0, 7);
          paint.fill();
        }
    }
    paint.strokeStyle = colour("strong-line");
    paint.lineWidth = 1;
    paint.strokeRect(left, top, full, full);
    paint.font = "12px " + getComputedStyle(document.body).fontFamily;
    const most = 40;
    if (named.length && named.length <= most) named.forEach(({ group, start, end }) => {
      if (start) {
        const at = start * cell;
        paint.beginPath();
        paint.moveTo(left + at, top); paint.lineTo(left + at, top + full);
        paint.moveTo(left, top + at); paint.lineTo(left + full, top + at);
        paint.stroke();
      }
      paint.fillStyle = colour("ink");
      const middle = ((start + end) / 2) * cell;
      if ((end - start) * cell < 13) return;
      paint.textBaseline = "middle";
      paint.textAlign = "right";
      paint.fillText(group, left - 6, top + middle, left - 8);
      paint.textAlign = "center";
      paint.fillText(group, left + middle, top + full + 12, (end - start) * cell - 2);
    });
    heatPlace = { left, top, cell };
    const title = { partial: "Partial correlations", correlation: "Correlations" }[kind];
    canvas.setAttribute("aria-label", data.contexts.length === 1 ? `${title} in ${data.contexts[0]}` : `${title}: ${data.contexts[above]} above the diagonal, ${data.contexts[below]} below`);
    byId("heat-low").textContent = "−" + scale.toFixed(2);
    byId("heat-high").textContent = "+" + scale.toFixed(2);
    const many = size < data.heat.of ? ` The ${size} variables with most edges of ${data.heat.of}.` : "";
    const dots = cell >= 5 && !data.estimators[estimator].difference ? ` Dots: edges by ${data.estimators[estimator].title}.` : "";
    byId("heat-note").textContent = `Variables in their order in variables.tsv${named.length ? ", which has them by group" : ""}.${dots}${many}`;
    readHeat(null);
  }

  function readHeat(event) {
    const said = byId("heat-said");
    if (!event) { said.textContent = "Point at a cell to read it."; return; }
    const bounds = canvas.getBoundingClientRect();
    const { size, above, below, scale, code } = heatState();
    const j = Math.floor((event.clientX - bounds.left - heatPlace.left) / heatPlace.cell);
    const i = Math.floor((event.clientY - bounds.top - heatPlace.top) / heatPlace.cell);
    if (i < 0 || j < 0 || i >= size || j >= size || i === j) return;
    const lines = [`${data.heat.names[i]} – ${data.heat.names[j]}`];
    const [a, b] = [Math.min(i, j), Math.max(i, j)];
    const value = (pair) => signed((code(...pair) / 127) * scale);
    if (data.contexts.length === 1) lines.push(value([a, b]));
    else lines.push(`${data.contexts[above]}: ${value([a, b])}`, `${data.contexts[below]}: ${value([b, a])}`);
    said.replaceChildren(...lines.map((text, number) => html(number ? "div" : "strong", "", text)));
  }

  if (canvas) {
    canvas.addEventListener("pointermove", readHeat);
    canvas.addEventListener("click", readHeat);
    for (const id of ["heat-kind", "heat-above", "heat-below"]) if (byId(id)) byId(id).addEventListener("change", drawHeat);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { delete rgb.line; drawHeat(); });
    let width = 0;
    new ResizeObserver(() => {
      if (canvas.parentElement.clientWidth === width) return;
      width = canvas.parentElement.clientWidth;
      requestAnimationFrame(drawHeat);
    }).observe(canvas.parentElement);
  }

  let before = 0;
  new ResizeObserver(() => {
    const width = byId("content").clientWidth;
    if (before && width !== before) requestAnimationFrame(refresh);
    before = width;
  }).observe(byId("content"));
  window.addEventListener("hashchange", fromAddress);
  choose();
  fromAddress();
})();
