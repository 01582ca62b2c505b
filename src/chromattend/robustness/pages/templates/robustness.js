// Counts of a gene before and after the edit that turns its call.
(() => {
  "use strict";
  const { svg, html } = window.chromattendElements;
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("edited-data").textContent);
  const [marks, bins] = [data.marks.length, data.bins.length];
  const whole = (value) => value.toLocaleString("en");
  const gene = byId("edited-gene");
  const threat = byId("edited-threat");
  const values = {};

  async function inflate(packed) {
    const bytes = Uint8Array.from(atob(packed), (sign) => sign.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).arrayBuffer();
  }

  const [WIDTH, ROW, LEFT, RIGHT, TOP] = [460, 78, 34, 4, 16];

  // Rows of marks with the same scale before and after; `change` is null for the counts before.
  function drawing(label, counts, change, tops) {
    const height = marks * ROW + 34;
    const made = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": label });
    const step = (WIDTH - LEFT - RIGHT) / bins;
    const zero = data.bins.findIndex((start) => start >= 0);
    for (let mark = 0; mark < marks; mark++) {
      const bottom = mark * ROW + ROW - 8;
      const scale = (ROW - 8 - TOP) / tops[mark];
      made.append(svg("text", { class: "mark", x: LEFT, y: mark * ROW + 12 }, data.marks[mark]));
      if (zero > 0) made.append(svg("line", { class: "tss", x1: LEFT + zero * step, x2: LEFT + zero * step, y1: mark * ROW + TOP, y2: bottom }));
      made.append(svg("text", { x: LEFT - 5, y: bottom - tops[mark] * scale + 8, "text-anchor": "end" }, whole(tops[mark])));
      made.append(svg("text", { x: LEFT - 5, y: bottom, "text-anchor": "end" }, "0"));
      const bar = (kind, bin, from, to) => made.append(svg("rect", { class: kind, x: (LEFT + bin * step + 0.3).toFixed(2), y: (bottom - to * scale).toFixed(2), width: (step - 0.6).toFixed(2), height: ((to - from) * scale).toFixed(2) }));
      for (let bin = 0; bin < bins; bin++) {
        const at = mark * bins + bin;
        const [before, delta] = [counts[at], change ? change[at] : 0];
        const after = before + delta;
        if (Math.min(before, after) > 0) bar("count", bin, 0, Math.min(before, after));
        if (delta > 0) bar("more", bin, before, after);
        if (delta < 0) bar("less", bin, after, before);
        if (delta) made.append(svg("rect", { class: delta > 0 ? "more" : "less-bin", x: (LEFT + bin * step).toFixed(2), y: bottom + 2, width: step.toFixed(2), height: 4 }));
      }
      made.append(svg("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: bottom, y2: bottom }));
    }
    const bottom = marks * ROW;
    const width = bins > 1 ? data.bins[1] - data.bins[0] : 1;
    const ends = [[0, data.bins[0], "start"], [zero, 0, "middle"], [bins, data.bins[bins - 1] + width, "end"]];
    for (const [bin, position, anchor] of ends) {
      const text = position === 0 ? "TSS" : whole(position).replace("-", "−") + " bp";
      if (bin >= 0) made.append(svg("text", { x: LEFT + bin * step, y: bottom + 14, "text-anchor": anchor }, text));
    }
    return made;
  }

  function show() {
    const number = Number(gene.value);
    const genes = data.genes;
    for (const option of threat.options) option.disabled = !genes[option.value][number];
    if (!genes[threat.value][number]) threat.value = threat.value === "reads" ? "entries" : "reads";
    const kind = threat.value;
    const part = (name) => values[name].subarray(number * marks * bins, (number + 1) * marks * bins);
    const [counts, change] = [part("counts"), part(kind)];
    const rows = data.marks.map((mark, index) => {
      const row = { mark, before: 0, added: 0, removed: 0, top: 1 };
      for (let at = index * bins; at < (index + 1) * bins; at++) {
        row.before += counts[at];
        row.added += Math.max(change[at], 0);
        row.removed += Math.max(-change[at], 0);
        row.top = Math.max(row.top, counts[at], counts[at] + change[at]);
      }
      return row;
    });
    const tops = rows.map((row) => row.top);
    const [added, removed] = ["added", "removed"].map((name) => rows.reduce((sum, row) => sum + row[name], 0));
    const entries = change.reduce((sum, value) => sum + (value ? 1 : 0), 0);
    const name = genes.name[number];
    const [from, to] = genes.label[number] ? ["ON", "OFF"] : ["OFF", "ON"];
    byId("edited-name").textContent = `${name}: ${from} to ${to}`;
    const score = genes[kind + "_score"];
    byId("edited-facts").textContent =
      `${whole(added)} reads added and ${whole(removed)} removed in ${whole(entries)} bins, of the window's ${whole(genes.window[number])} reads. ` +
      `P(ON) ${genes.score[number].toFixed(3)} before${score ? `, ${score[number].toFixed(3)} after` : ""}.`;
    byId("edited-before").replaceChildren(drawing(`Reads of ${name} by bin and mark`, counts, null, tops));
    byId("edited-after").replaceChildren(drawing(`Reads of ${name} after the edit; the table below has the sums`, counts, change, tops));
    byId("edited-marks").replaceChildren(...rows.map((row) => {
      const line = html("tr");
      const after = row.before + row.added - row.removed;
      for (const value of [row.mark, whole(row.before), row.added ? "+" + whole(row.added) : "0", row.removed ? "−" + whole(row.removed) : "0", whole(after)]) line.append(html("td", "", value));
      return line;
    }));
    for (const button of document.querySelectorAll(".starters button")) button.setAttribute("aria-pressed", String(button.dataset.gene === gene.value));
    byId("edited").hidden = false;
    document.documentElement.dataset.drawn = name;
  }

  gene.addEventListener("change", show);
  threat.addEventListener("change", show);
  for (const button of document.querySelectorAll(".starters button"))
    button.addEventListener("click", () => {
      gene.value = button.dataset.gene;
      show();
    });

  async function start() {
    if (typeof DecompressionStream === "undefined") {
      byId("edited-name").textContent = "This browser is too old to unpack the counts; use a browser from 2023 or later.";
      byId("edited").hidden = false;
      return;
    }
    values.counts = new Uint16Array(await inflate(data.counts));
    for (const name of ["reads", "entries"]) values[name] = new Int16Array(await inflate(data[name]));
    if (data.examples.length) gene.value = String(data.examples[0]);
    show();
  }

  start();
})();
