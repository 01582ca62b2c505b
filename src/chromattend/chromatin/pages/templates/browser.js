// The gene browser and the ROC curves of an epigenome's page. Names come from users: they enter the page as text, and
// plotly escaped.
(() => {
  "use strict";
  const { plot, escape, colour, series } = chromattend;
  const parsed = (id) => JSON.parse(document.getElementById(id).textContent);
  const element = (id) => document.getElementById(id);

  // ---- ROC curves
  function drawRoc() {
    const curves = parsed("roc-data");
    // On a phone, or of many models, the legend would lie on the curves.
    const within = window.innerWidth > 640 && curves.length <= 6;
    const side = Math.min(element("roc").clientWidth - 75, 480);
    const below = 85 + 20 * (curves.length + 1);
    if (!within) Object.assign(element("roc").style, { height: side + 30 + below + "px", minHeight: 0 });
    plot(element("roc"), () => ({
      data: [
        ...curves.map((curve) => ({
          type: "scatter", mode: "lines+markers", name: escape(curve.title) + " (" + curve.auc.toFixed(3) + ")",
          x: curve.fpr, y: curve.tpr, customdata: curve.threshold,
          line: { color: curve.look.colour, width: 2, dash: curve.look.dash, simplify: false },
          // A few symbols on each curve tell curves apart without colours.
          marker: { color: curve.look.colour, symbol: curve.look.symbol, size: 7, maxdisplayed: 8 },
          hovertemplate: "<b>" + escape(curve.title) + "</b><br>true positives %{y:.1%}<br>false positives %{x:.1%}" +
            "<br>at P(ON) ≥ %{customdata:.3f}<extra></extra>",
        })),
        { type: "scatter", mode: "lines", name: "Guessing (0.500)", x: [0, 1], y: [0, 1], hoverinfo: "skip",
          line: { color: colour("strong-line"), width: 1, dash: "dash" } },
      ],
      layout: {
        xaxis: { title: { text: "False positive rate", standoff: 8 }, range: [-0.005, 1], constrain: "domain", zeroline: false },
        yaxis: { title: { text: "True positive rate" }, range: [0, 1.005], scaleanchor: "x", constrain: "domain", zeroline: false },
        legend: within
          ? { x: 0.98, y: 0.02, xanchor: "right", yanchor: "bottom", bgcolor: "rgba(0,0,0,0)", font: { size: 11 } }
          : { x: 0, y: -75 / side, xanchor: "left", yanchor: "top", font: { size: 11 } },
        hovermode: "closest",
        margin: { l: 60, r: 15, t: 30, b: within ? 50 : below },
      },
    }));
  }

  // ---- The genes, unpacked on the first search
  let data = null;
  let genes = null;
  const unpacked = new Map();

  async function inflate(packed) {
    const text = atob(packed);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).arrayBuffer();
  }

  function once(key, make) {
    if (!unpacked.has(key)) unpacked.set(key, make());
    return unpacked.get(key);
  }

  const withoutVersion = (id) => id.replace(/\.\d+$/, "");

  function ready() {
    return once("genes", async () => {
      data = parsed("gene-data");
      const columns = JSON.parse(new TextDecoder().decode(await inflate(data.index)));
      const byName = new Map();
      const add = (name, row) => {
        const key = name.toLowerCase();
        if (!key) return;
        const rows = byName.get(key);
        if (!rows) byName.set(key, [row]);
        else if (!rows.includes(row)) rows.push(row);
      };
      columns.symbol.forEach(add);
      columns.gene.forEach((id, row) => {
        add(id, row);
        if (withoutVersion(id) !== id) add(withoutVersion(id), row);
      });
      // Of several genes with one name, genes that the page shows come first.
      for (const rows of byName.values()) rows.sort((a, b) => (columns.place[b] >= 0) - (columns.place[a] >= 0) || a - b);
      const order = columns.symbol.map((symbol, row) => row).filter((row) => columns.place[row] >= 0 && columns.symbol[row]);
      order.sort((a, b) => (columns.symbol[a] < columns.symbol[b] ? -1 : columns.symbol[a] > columns.symbol[b] ? 1 : 0));
      genes = { ...columns, byName, order, lower: columns.symbol.map((symbol) => symbol.toLowerCase()) };
    });
  }

  const shares = (key, packed) => once(key, async () => new Uint16Array(await inflate(packed)));
  const share = (values, index) => (values[index] === 65535 ? null : values[index] / 65534);

  async function countsOf(place) {
    const number = Math.floor(place / data.block);
    const block = data.counts[number];
    const values = await once("counts" + number, async () => {
      const buffer = await inflate(block.values);
      return block.bytes === 1 ? new Uint8Array(buffer) : new Uint16Array(buffer);
    });
    const ranges = block.ranges && (await once("ranges" + number, async () => new Float32Array(await inflate(block.ranges))));
    const bins = data.bins.length;
    const first = (place % data.block) * data.marks.length;
    return data.marks.map((_, mark) => {
      const at = first + mark;
      const levels = Array.from(values.subarray(at * bins, (at + 1) * bins));
      return ranges ? levels.map((level) => ranges[2 * at] + level * ranges[2 * at + 1]) : levels;
    });
  }

  // alpha by mark and bin, and beta by mark; null if the attention to the gene was not written.
  async function attentionOf(model, place) {
    const packed = data.attention[model];
    const greatest = await once("greatest " + model, async () => new Float32Array(await inflate(packed.greatest)));
    const marks = data.marks.length;
    const most = Array.from(greatest.subarray(place * marks, (place + 1) * marks));
    if (!most.some((value) => value > 0)) return null;
    const number = Math.floor(place / data.block);
    const steps = await once("alpha " + number + " " + model, async () => new Uint8Array(await inflate(packed.alpha[number])));
    const bins = data.bins.length;
    const first = (place % data.block) * marks;
    const alpha = most.map((scale, mark) => {
      let level = 0;
      return Array.from(steps.subarray((first + mark) * bins, (first + mark + 1) * bins), (step) => {
        level = (level + step) & 255;
        return (level * scale) / 255;
      });
    });
    const betas = packed.beta && (await shares("beta " + model, packed.beta));
    return { alpha, beta: betas ? most.map((_, mark) => share(betas, place * marks + mark)) : null };
  }

  // The influential training genes of a gene; null if the network was not explained for it.
  async function influenceOf(model, row) {
    const packed = data.influence[model];
    const columns = await once("influence " + model, async () => {
      const [gene, train, supports, levels, similarity] = await Promise.all(
        ["gene", "train", "supports", "influence", "similarity"].map((name) => inflate(packed[name])));
      const unpacking = { gene: new Uint32Array(gene), train: new Uint32Array(train), supports: new Uint8Array(supports),
        influence: new Int16Array(levels), similarity: new Int8Array(similarity), of: new Map() };
      unpacking.gene.forEach((each, index) => {
        if (!unpacking.of.has(each)) unpacking.of.set(each, []);
        unpacking.of.get(each).push(index);
      });
      return unpacking;
    });
    const list = (columns.of.get(row) || []).map((index) => ({
      row: columns.train[index], supports: columns.supports[index] === 1,
      influence: columns.influence[index] * packed.step, similarity: columns.similarity[index] / 100,
    }));
    return { list: list.length ? list : null, doubtful: packed.doubtful, explained: [...columns.of.keys()] };
  }

  // ---- The gene nearest to a name that no gene has
  function distance(a, b, limit) {
    let before = Array.from({ length: b.length + 1 }, (_, j) => j);
    for (let i = 1; i <= a.length; i += 1) {
      const row = [i];
      let least = i;
      for (let j = 1; j <= b.length; j += 1) {
        row[j] = Math.min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
        least = Math.min(least, row[j]);
      }
      if (least >= limit) return limit;
      before = row;
    }
    return before[b.length];
  }

  function nearest(name) {
    const wanted = name.toLowerCase().slice(0, 40);
    let best = Infinity;
    let closest = null;
    for (const row of genes.order) {
      const symbol = genes.lower[row];
      if (Math.abs(symbol.length - wanted.length) >= best) continue;
      const far = distance(wanted, symbol, best);
      if (far < best) [best, closest] = [far, row];
    }
    return closest === null ? null : genes.symbol[closest];
  }

  // ---- Drawing a gene
  const input = element("gene-input");
  const message = element("gene-message");
  const choice = element("gene-model");
  const influenceChoice = element("influence-model");
  let current = null;
  let turn = 0;

  function say(text, suggestion) {
    message.replaceChildren(document.createTextNode(text));
    if (!suggestion) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Show " + suggestion;
    button.addEventListener("click", () => open(suggestion));
    message.append(" ", button);
  }

  function fact(id, text) {
    element(id).textContent = text;
  }

  // A link to a public browser, where the page knows its address of the gene.
  function outside(id, address) {
    const link = element(id);
    if (!link) return;
    link.hidden = !address;
    if (address) link.href = link.dataset.start + encodeURIComponent(address);
  }

  async function facts(row) {
    const place = genes.place[row];
    fact("fact-symbol", genes.symbol[row] || genes.gene[row]);
    fact("fact-id", genes.gene[row]);
    const tss = genes.tss && genes.tss[row].toLocaleString("en");
    fact("fact-tss", tss ? (genes.chrom ? genes.chrom[row] + ":" : "") + tss + (genes.strand ? " (" + genes.strand[row] + ")" : "") : "unknown");
    fact("fact-rpkm", genes.rpkm[row] === null ? "unknown" : genes.rpkm[row].toLocaleString("en", { maximumSignificantDigits: 4 }));
    fact("fact-label", genes.label[row] ? "ON" : "OFF");
    element("fact-label").className = genes.label[row] ? "state on" : "state off";
    fact("fact-split", genes.split[row]);
    outside("fact-ucsc", genes.chrom && genes.tss && genes.chrom[row] + ":" + Math.max(1, genes.tss[row] + 1 + data.bins[0]) + "-" + (genes.tss[row] + 1 - data.bins[0]));
    outside("fact-ensembl", /^ENS/.test(genes.gene[row]) && withoutVersion(genes.gene[row]));
    for (const line of document.querySelectorAll("#gene-scores tbody tr")) {
      const score = share(await shares("score " + line.dataset.model, data.scores[line.dataset.model]), place);
      const [, value, call] = line.cells;
      value.replaceChildren();
      value.dataset.value = score === null ? "" : score.toFixed(3);
      if (score === null) value.textContent = "–";
      else {
        const bar = document.createElement("span");
        bar.className = "bar";
        bar.setAttribute("aria-hidden", "true");
        bar.style.setProperty("--share", (100 * score).toFixed(1) + "%");
        value.append(bar, score.toFixed(3));
      }
      const on = await isOn(line.dataset.model, place, score);
      const right = score !== null && on === Boolean(genes.label[row]);
      call.textContent = score === null ? "–" : (on ? "ON" : "OFF") + (right ? " ✓" : " ✗");
      call.dataset.value = score === null ? "" : (on ? "ON" : "OFF") + (right ? ", right" : ", wrong");
      if (data.kept || data.turned) await robustness(line, place);
    }
  }

  // Tested models have calls of their own threshold.
  async function isOn(model, place, score) {
    const packed = data.calls && data.calls[model];
    if (!packed) return score > 0.5;
    const calls = await once("calls " + model, async () => new Uint8Array(await inflate(packed)));
    return calls[place] === 2 ? score > 0.5 : calls[place] === 1;
  }

  // How little turns the call; – for genes and models that were not tested.
  async function robustness(line, place) {
    const model = line.dataset.model;
    const fill = (kind, text) => { const at = line.querySelector("." + kind); if (at) at.textContent = text; };
    const kept = data.kept && data.kept[model] ? share(await shares("kept " + model, data.kept[model]), place) : null;
    fill("kept", kept === null ? "–" : (100 * kept).toFixed(0) + " %");
    const packed = data.turned && data.turned[model];
    const number = async (name) => (packed ? new Uint16Array(await once(name + " " + model, () => inflate(packed[name])))[place] : 65535);
    const [reads, certified] = [await number("reads"), await number("certified")];
    fill("turn", reads === 65535 ? "–" : reads === 65534 ? "none found" : reads.toLocaleString("en"));
    fill("certified", certified === 65535 ? "–" : certified.toLocaleString("en"));
  }

  // A link to a gene of this page, or its name.
  function linked(row) {
    const name = genes.symbol[row] || genes.gene[row];
    if (genes.place[row] < 0) return document.createTextNode(name);
    const link = document.createElement("a");
    link.textContent = name;
    link.href = "#gene=" + encodeURIComponent(genes.byName.get(name.toLowerCase())[0] === row ? name : genes.gene[row]);
    return link;
  }

  function cell(content, kind) {
    const made = document.createElement("td");
    if (kind) made.className = kind;
    made.append(content);
    return made;
  }

  const EXPLAINED_EXAMPLES = 3;
  function fillInfluence({ list, doubtful, explained }) {
    const note = element("influence-note");
    note.replaceChildren();
    element("influence-result").hidden = !list;
    if (!list) {
      note.append("Computed for " + explained.length.toLocaleString("en") + " test genes, not for this one; interpret.genes in the configuration is their number.");
      const others = explained.filter((row) => genes.place[row] >= 0).slice(0, EXPLAINED_EXAMPLES);
      others.forEach((row, index) => note.append(index ? ", " : " Some of them: ", linked(row)));
      return;
    }
    if (doubtful) note.append("The last layer, fitted again for this estimate, predicts otherwise than the network: do not rely on these genes.");
    const table = element("influence-table");
    for (const heading of table.tHead.rows[0].cells) {
      heading.removeAttribute("aria-sort");
      heading.querySelector(".order").textContent = "";
    }
    table.tBodies[0].replaceChildren(...list.map(({ row, supports, influence, similarity }) => {
      const line = document.createElement("tr");
      const predicted = (influence > 0) === supports ? "ON" : "OFF";
      line.append(cell(linked(row), "text"), cell(genes.label[row] ? "ON" : "OFF", "text state " + (genes.label[row] ? "on" : "off")),
        cell((supports ? "supports " : "opposes ") + predicted, "text"),
        cell((influence > 0 ? "+" : "−") + Math.abs(influence).toLocaleString("en", { minimumSignificantDigits: 2, maximumSignificantDigits: 2 })),
        cell(similarity.toFixed(2).replace("-", "−")));
      return line;
    }));
  }

  const ROW = 118;
  function rowDomain(index, rows) {
    const gap = rows > 1 ? 0.022 : 0;
    return [1 - (index + 1) / rows + gap / 2, 1 - index / rows - gap / 2];
  }

  // Zero and two round values, the higher at most `highest`.
  function roundTicks(highest) {
    const unit = 10 ** Math.floor(Math.log10(highest / 2));
    const step = [5, 2, 1].map((factor) => factor * unit).find((size) => 2 * size <= highest);
    return [0, step, 2 * step].map((value) => Number(value.toPrecision(1)));
  }

  function marksFigure(row, counts, attention) {
    const rows = data.marks.length;
    const width = data.bins.length > 1 ? data.bins[1] - data.bins[0] : 1;
    const middle = data.bins.map((start) => start + width / 2);
    const range = data.bins.map((start) => start.toLocaleString("en") + " to " + (start + width).toLocaleString("en") + " bp");
    const traces = [];
    const layout = {
      height: ROW * rows + 110, barmode: "overlay", bargap: 0, showlegend: true, hovermode: "x unified",
      legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", yref: "paper" },
      margin: { l: 78, r: attention ? 66 : 20, t: 50, b: 60 },
      xaxis: { title: { text: "Position relative to the TSS of " + escape(genes.symbol[row] || genes.gene[row]) + " (bp)" },
        anchor: "y" + (rows > 1 ? rows : ""), range: [data.bins[0], data.bins[data.bins.length - 1] + width],
        tickformat: ",d", zeroline: false },
      shapes: [{ type: "line", xref: "x", yref: "paper", x0: 0, x1: 0, y0: 0, y1: 1, line: { color: colour("dim"), width: 1, dash: "dot" } }],
      annotations: [],
    };
    const highest = attention ? Math.max(...attention.alpha.flat()) : 0;
    data.marks.forEach((mark, index) => {
      const own = index ? String(index + 1) : "";
      const over = String(rows + index + 1);
      layout["yaxis" + own] = { domain: rowDomain(index, rows), anchor: "x", title: { text: escape(mark), standoff: 8 },
        rangemode: "tozero", zeroline: false, nticks: 4, automargin: true };
      traces.push({ type: "bar", x: middle, y: counts[index], width, yaxis: "y" + own, xaxis: "x", name: "Signal in a bin",
        legendgroup: "signal", showlegend: index === 0, marker: { color: series(0), line: { width: 0 } }, customdata: range,
        hovertemplate: escape(mark) + ": %{y:,.4~g}<extra></extra>" });
      if (!attention) return;
      layout["yaxis" + over] = { overlaying: "y" + own, side: "right", anchor: "x", showgrid: false, zeroline: false,
        range: [0, highest * 1.08], tickmode: "array", tickvals: roundTicks(highest), tickfont: { color: colour("series-2") },
        title: { text: index === Math.floor((rows - 1) / 2) ? "alpha" : "", font: { color: colour("series-2") } } };
      traces.push({ type: "scatter", mode: "lines", x: middle, y: attention.alpha[index], yaxis: "y" + over, xaxis: "x",
        name: "Attention alpha (right axis)", legendgroup: "alpha", showlegend: index === 0, line: { color: series(1), width: 2 },
        hovertemplate: escape(mark) + " alpha: %{y:.4f}<extra></extra>" });
    });
    return { data: traces, layout };
  }

  function betaFigure(attention) {
    const rows = data.marks.length;
    const names = data.marks.map((mark) => escape(mark));
    return {
      data: [{ type: "bar", orientation: "h", x: attention.beta, y: data.marks.map((_, index) => index),
        customdata: names, marker: { color: series(2) }, width: 0.6,
        text: attention.beta.map((value) => value.toFixed(3)), textposition: "auto", textangle: 0, insidetextfont: { color: colour("paper") }, cliponaxis: false,
        hovertemplate: "%{customdata}: beta %{x:.4f}<extra></extra>" }],
      layout: {
        height: ROW * rows + 110, margin: { l: 78, r: 20, t: 50, b: 60 }, showlegend: false,
        title: { text: "Attention beta to each mark", font: { size: 14 }, x: 0.5, y: 0.99, yanchor: "top", yref: "container" },
        xaxis: { title: { text: "beta" }, rangemode: "tozero", nticks: 4, zeroline: true },
        yaxis: { range: [rows - 0.5, -0.5], tickvals: data.marks.map((_, index) => index), ticktext: names, showgrid: false, zeroline: false, automargin: true },
        shapes: [{ type: "line", xref: "x", yref: "paper", x0: 1 / rows, x1: 1 / rows, y0: 0, y1: 1, line: { color: colour("dim"), width: 1, dash: "dash" } }],
      },
    };
  }

  async function show(row) {
    const began = performance.now();
    const mine = (turn += 1);
    current = row;
    const place = genes.place[row];
    const model = choice ? choice.value : data.attentive[0];
    const explainedModel = influenceChoice ? influenceChoice.value : Object.keys(data.influence)[0];
    const [counts, attention, behind] = await Promise.all([
      countsOf(place), model ? attentionOf(model, place) : null, explainedModel ? influenceOf(explainedModel, row) : null,
    ]);
    await facts(row);
    const ended = performance.now();
    // A later search may have overtaken this one.
    if (mine !== turn) return;
    element("gene-result").hidden = false;
    if (behind) fillInfluence(behind);
    const beta = Boolean(attention && attention.beta);
    element("gene-figures").classList.toggle("with-beta", beta);
    element("gene-beta").hidden = !beta;
    const drawings = [plot(element("gene-marks"), () => marksFigure(row, counts, attention))];
    if (beta) drawings.push(plot(element("gene-beta"), () => betaFigure(attention)));
    const note = element("gene-note");
    if (data.attentive.length)
      note.textContent = attention
        ? (beta ? "Dashed line: equal attention to all marks. alpha and beta of " : "alpha of ") + element("gene-data").dataset["title" + data.attentive.indexOf(model)] +
          ": alpha is its weight for a bin of a mark" + (beta ? ", beta its weight for a mark." : ".")
        : "The attention to this gene was not written; interpret.attention in the configuration selects the genes.";
    await Promise.all(drawings);
    // For measurements of the page's speed.
    Object.assign(document.documentElement.dataset, {
      lookupMs: (ended - began).toFixed(1), drawMs: (performance.now() - ended).toFixed(1), drawn: genes.gene[row],
    });
  }

  async function open(wanted, keepAddress) {
    const name = wanted.trim();
    if (!name) return;
    if (typeof DecompressionStream === "undefined") {
      say("This browser is too old to unpack the genes; use a browser from 2023 or later.");
      return;
    }
    await ready();
    const rows = genes.byName.get(name.toLowerCase()) || genes.byName.get(withoutVersion(name).toLowerCase());
    if (!rows) {
      hide();
      const near = nearest(name);
      say("No gene is called “" + name + "” here." + (near ? " The nearest symbol is " + near + "." : ""), near);
      return;
    }
    const row = rows[0];
    if (genes.place[row] < 0) {
      hide();
      say((genes.symbol[row] || genes.gene[row]) + " is in the " + genes.split[row] + " part; this page shows only test genes and genes with attention.");
      return;
    }
    const label = genes.symbol[row] || genes.gene[row];
    input.value = label;
    const others = rows.slice(1).map((other) => genes.gene[other]);
    say("Showing " + label + " (" + genes.gene[row] + ")." + (others.length ? " The name also belongs to " + others.join(", ") + "." : ""));
    if (!keepAddress) history.replaceState(null, "", "#gene=" + encodeURIComponent(name));
    await show(row);
  }

  function hide() {
    current = null;
    turn += 1;
    element("gene-result").hidden = true;
  }

  function suggest() {
    const start = input.value.trim().toLowerCase();
    const matches = [];
    if (start)
      for (const row of genes.order) {
        if (genes.lower[row].startsWith(start) || genes.gene[row].toLowerCase().startsWith(start)) matches.push(row);
        if (matches.length === 12) break;
      }
    element("gene-suggestions").replaceChildren(
      ...matches.map((row) => {
        const option = document.createElement("option");
        option.value = genes.symbol[row];
        option.label = genes.gene[row];
        return option;
      }));
  }

  function fromAddress() {
    const match = /^#gene=(.+)$/.exec(window.location.hash);
    if (!match) return;
    let name = match[1];
    try {
      name = decodeURIComponent(name);
    } catch {
      // A hand-typed address that is not encoded: the name is used unchanged.
    }
    element("genes").scrollIntoView();
    input.value = name;
    open(name, true);
  }

  element("gene-form").addEventListener("submit", (event) => {
    event.preventDefault();
    open(input.value);
  });
  input.addEventListener("input", () => ready().then(suggest));
  // A chosen suggestion is a complete name.
  input.addEventListener("change", () => ready().then(() => {
    if (genes.byName.has(input.value.trim().toLowerCase())) open(input.value);
  }));
  for (const select of [choice, influenceChoice])
    if (select) select.addEventListener("change", () => current !== null && show(current));
  for (const example of document.querySelectorAll("button[data-gene]"))
    example.addEventListener("click", () => open(example.dataset.gene));
  window.addEventListener("hashchange", fromAddress);

  // The page is painted before the first chart is drawn.
  requestAnimationFrame(() => setTimeout(() => {
    drawRoc();
    fromAddress();
  }, 0));
})();
