// The drawings of a dashboard: logos, tracks of a sequence, and the choice of network and sequence. Names come from
// users: they enter the page as text only.
(() => {
  "use strict";
  const { svg, html } = window.chromattendElements;
  const data = JSON.parse(document.getElementById("dashboard-data").textContent);
  const LEFT = 46;
  const RIGHT = 10;
  // Narrower letters cannot be read; longer sequences scroll within their box.
  const LEAST = 8.5;
  const GLYPH = 100;

  const short = (value) => Number(value.toPrecision(2)).toString();
  const signed = (value) => (value === null || value === undefined ? "–" : (value >= 0 ? "+" : "−") + Math.abs(value).toFixed(Math.abs(value) >= 10 ? 1 : 2));
  // A blank of a text, so that it can be seen.
  const seen = (letter) => (letter === " " ? "\u2423" : letter);
  const two = (value) => Math.round(value * 100) / 100;

  function drawing(width, height, label) {
    return svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  }

  function glyph(letter, x, y, width, height, flipped) {
    const number = data.letters.indexOf(letter);
    const scale = `scale(${two(width * 100 / GLYPH) / 100} ${two((flipped ? -height : height) * 100 / GLYPH) / 100})`;
    return number >= 0
      ? svg("use", { href: "#glyph-" + number, class: "letter letter-" + letter, transform: `translate(${two(x)} ${two(flipped ? y + height : y)}) ${scale}` })
      : svg("rect", { class: "letter unknown", x: two(x + width * 0.4), y: two(y + height * 0.4), width: two(width * 0.2), height: two(height * 0.2) });
  }

  // Stacks of letters: `columns` are lists of [letter, height], heights in units of `unit` px above `zero`.
  function logo(parent, columns, place) {
    columns.forEach((column, index) => {
      const x = place.left + index * place.dx;
      const gap = Math.min(1, place.dx * 0.06);
      let up = place.zero;
      let down = place.zero;
      for (const [letter, value] of [...column].sort((a, b) => Math.abs(a[1]) - Math.abs(b[1]))) {
        const height = Math.abs(value) * place.unit;
        if (height < 0.4) continue;
        if (value > 0) {
          up -= height;
          parent.append(glyph(letter, x + gap / 2, up, place.dx - gap, height, false));
        } else {
          parent.append(glyph(letter, x + gap / 2, down, place.dx - gap, height, true));
          down += height;
        }
      }
    });
  }

  const columnsOf = (heights) => heights.map((row) => row.map((value, letter) => [data.letters[letter], value]).filter(([, value]) => value));

  function ticks(parent, left, right, marks) {
    for (const [y, text, strong] of marks) {
      parent.append(svg("line", { class: strong ? "axis" : "hair", x1: left, x2: right, y1: two(y), y2: two(y) }));
      parent.append(svg("text", { class: "tick", x: left - 5, y: two(y + 4), "text-anchor": "end" }, text));
    }
  }

  // Lanes in which bars do not overlap; each bar needs at least `least` columns for its name.
  function lanes(bars, least) {
    const ends = [];
    return bars.map((bar) => {
      const end = Math.max(bar.end, bar.start + least(bar));
      let lane = ends.findIndex((taken) => taken <= bar.start);
      if (lane < 0) lane = ends.push(0) - 1;
      ends[lane] = end + 1;
      return lane;
    });
  }

  // ---- The rows of a sequence, each {name, about, height, label, draw(svg), value(position)}
  function sequenceRow(shown) {
    return {
      name: "Sequence", about: "", height: 40, label: "Letters of the sequence", value: (i) => shown.letters[i],
      draw(parent, place) {
        [...shown.letters].forEach((letter, i) => {
          const x = place.left + i * place.dx;
          parent.append(glyph(letter, x + 0.5, 22, place.dx - 1, 14, false));
          if ((i + 1) % 10 === 0 || i === 0) {
            parent.append(svg("line", { class: "axis", x1: two(x + place.dx / 2), x2: two(x + place.dx / 2), y1: 15, y2: 19 }));
            parent.append(svg("text", { class: "tick", x: two(x + place.dx / 2), y: 11, "text-anchor": "middle" }, i + 1));
          }
        });
      },
    };
  }

  function hitsRow(shown, place) {
    const bars = [...shown.hits].sort((a, b) => a.start - b.start);
    const title = (bar) => bar.name + (bar.others.length ? " and " + bar.others.length + " more" : "");
    const lane = lanes(bars, (bar) => Math.ceil((title(bar).length * 6.4 + 4) / place.dx));
    const rows = Math.max(0, ...lane) + 1;
    const left = shown.left_out ? `, ${shown.left_out} weaker sites are left out` : "";
    return {
      name: "Known motifs", about: bars.length ? "hits of the database in this sequence; the factor's own is coloured" + left : "no hit of the database in this sequence",
      height: bars.length ? rows * 24 + 2 : 4, value: () => "",
      label: bars.length ? "Known motifs: " + bars.map((bar) => `${title(bar)} at ${bar.start + 1} to ${bar.end}`).join("; ") : "No known motif",
      draw(parent) {
        bars.forEach((bar, index) => {
          const group = svg("g");
          const x = place.left + bar.start * place.dx;
          const width = (bar.end - bar.start) * place.dx;
          const y = lane[index] * 24 + 2;
          const tip = Math.min(6, width / 3);
          const ahead = bar.strand === "-"
            ? [[x, y + 3.5], [x + tip, y], [x + width, y], [x + width, y + 7], [x + tip, y + 7]]
            : [[x, y], [x + width - tip, y], [x + width, y + 3.5], [x + width - tip, y + 7], [x, y + 7]];
          group.append(svg("title", {}, `${bar.name}, ${bar.start + 1} to ${bar.end} (${bar.strand}), p ${bar.p}` + (bar.others.length ? "; also " + bar.others.join(", ") : "")));
          group.append(svg("polygon", { class: bar.own ? "hit own" : "hit", points: ahead.map((point) => point.map(two).join(",")).join(" ") }));
          const room = place.left + place.length * place.dx - x;
          const late = title(bar).length * 6.4 > room;
          group.append(svg("text", { class: "hit-name", x: two(late ? x + width : x), y: y + 18, "text-anchor": late ? "end" : "start" }, title(bar)));
          parent.append(group);
        });
      },
    };
  }

  function viewRow(view, shown) {
    const weights = shown.weights[view];
    const highest = Math.max(0, ...weights);
    const lowest = Math.min(0, ...weights);
    const range = highest - lowest || 1;
    const sites = (shown.sites[view] || []).map(([start, end, strand, motif]) => ({ start, end, strand, motif }));
    const top = 6;
    const tall = 74;
    const unit = tall / range;
    const zero = top + highest * unit;
    const peak = weights.indexOf(highest);
    return {
      name: data.views[view][0], about: data.views[view][1], keys: sites.length ? [["site", "motif site"]] : [], height: top + tall + (sites.length ? 12 : 6),
      label: `${data.views[view][0]}: the highest weight, ${short(highest)}, is that of ${shown.letters[peak]} at position ${peak + 1}` +
        (sites.length ? "; motif sites at " + sites.map((site) => `${site.start + 1} to ${site.end}`).join(", ") : ""),
      value: (i) => signed(weights[i]),
      draw(parent, place) {
        const right = place.left + place.length * place.dx;
        const marks = [[zero, "0", true]];
        if (zero - top > 14) marks.push([top, short(highest), false]);
        if (top + tall - zero > 14) marks.push([top + tall, short(lowest).replace("-", "−"), false]);
        ticks(parent, place.left, right, marks);
        logo(parent, weights.map((value, i) => [[shown.letters[i], value]]), { ...place, zero, unit });
        for (const site of sites) {
          const bar = svg("rect", { class: "site", x: two(place.left + site.start * place.dx), width: two((site.end - site.start) * place.dx), y: top + tall + 6, height: 4, rx: 2 });
          bar.append(svg("title", {}, `${site.motif}, ${site.start + 1} to ${site.end} (${site.strand})`));
          parent.append(bar);
        }
      },
    };
  }

  function mutagenesisRow(shown) {
    const map = shown.mutagenesis;
    const largest = Math.max(1e-9, ...map.flat().map((value) => Math.abs(value || 0)));
    const cell = 14;
    let least = [0, 0, 0];
    map.forEach((row, i) => row.forEach((value, a) => { if (value < least[0]) least = [value, i, a]; }));
    return {
      name: "Every substitution", about: `change of the logit, at most ${short(largest)}; dots: letters of the sequence`,
      keys: [["loss", "lowers"], ["gain", "raises"]],
      height: data.letters.length * cell + 4,
      label: `Change of the logit by each substitution; the most harmful, ${short(least[0])}, is ${shown.letters[least[1]]} to ${data.letters[least[2]]} at position ${least[1] + 1}`,
      // The largest changes only, where there are more letters than fit into a line.
      value: (i) => [...data.letters].map((letter, a) => [letter, map[i][a]]).filter(([letter]) => letter !== shown.letters[i])
        .sort((a, b) => (data.letters.length > 5 ? Math.abs(b[1]) - Math.abs(a[1]) : 0)).slice(0, 6)
        .map(([letter, value]) => seen(letter) + " " + signed(value)).join("  "),
      draw(parent, place) {
        [...data.letters].forEach((letter, a) => {
          parent.append(svg("text", { class: "tick", x: place.left - 8, y: a * cell + 12, "text-anchor": "end" }, seen(letter)));
        });
        map.forEach((row, i) => row.forEach((value, a) => {
          const x = two(place.left + i * place.dx);
          if (data.letters[a] === shown.letters[i])
            parent.append(svg("circle", { class: "observed", cx: two(place.left + (i + 0.5) * place.dx), cy: a * cell + 2 + cell / 2, r: 1.6 }));
          else if (value !== null && Math.abs(value) > largest / 100)
            parent.append(svg("rect", { class: value > 0 ? "gain" : "loss", "fill-opacity": two(Math.abs(value) / largest), x, y: a * cell + 2, width: two(place.dx - 0.5), height: cell - 0.5 }));
        }));
      },
    };
  }

  function temporalRow(shown) {
    const curves = ["forward", "backward"].flatMap((direction) =>
      Object.entries(shown.temporal[direction]).map(([kind, values]) => ({ direction, kind, values })));
    if (!curves.length) return null;
    const all = curves.flatMap((curve) => curve.values.filter((value) => value !== null)).concat(shown.score);
    const highest = Math.max(0, ...all);
    const lowest = Math.min(0, ...all);
    const top = 8;
    const tall = 120;
    const y = (value) => top + ((highest - value) / (highest - lowest || 1)) * tall;
    return {
      name: "Score as the sequence grows",
      about: "logit; dotted: the whole sequence",
      keys: curves.map(({ direction, kind }) => [`${direction} ${kind}`, direction + (kind === "prefix" ? ", only these letters" : ", as published"), true]),
      height: top + tall + 8,
      label: `Temporal outputs: the score of the growing sequence, which ends at ${signed(shown.score)}`,
      value: (i) => curves.filter((curve) => curve.kind === "prefix").map((curve) => `${curve.direction} ${signed(curve.values[i])}`).join("  "),
      draw(parent, place) {
        const right = place.left + place.length * place.dx;
        const marks = [[y(0), "0", true]];
        for (const value of [highest, lowest]) if (Math.abs(y(value) - y(0)) > 14) marks.push([y(value), short(value).replace("-", "−"), false]);
        ticks(parent, place.left, right, marks);
        parent.append(svg("line", { class: "whole-score", x1: place.left, x2: right, y1: two(y(shown.score)), y2: two(y(shown.score)) }));
        for (const { direction, kind, values } of curves) {
          let path = "";
          values.forEach((value, i) => {
            if (value === null) return;
            path += (path && values[i - 1] !== null ? "L" : "M") + two(place.left + (i + 0.5) * place.dx) + " " + two(y(value));
          });
          parent.append(svg("path", { class: `curve ${direction} ${kind}`, d: path }));
        }
      },
    };
  }

  function key([name, text, line]) {
    const made = html("span", "key");
    const sample = svg("svg", { width: line ? 20 : 12, height: 10, "aria-hidden": "true" });
    sample.append(line ? svg("line", { class: "curve " + name, x1: 0, x2: 20, y1: 5, y2: 5 }) : svg("rect", { class: name, width: 12, height: name === "site" ? 4 : 10, y: name === "site" ? 3 : 0 }));
    made.append(sample, text);
    return made;
  }

  // The position that the reader looks at, the same in every sequence.
  let position = null;

  function drawTracks(element, width) {
    const shown = data.networks[element.dataset.network].shown[Number(element.dataset.shown)];
    const length = shown.letters.length;
    const dx = Math.max(LEAST, (width - LEFT - RIGHT) / length);
    const place = { left: LEFT, dx, length };
    const full = Math.round(LEFT + RIGHT + dx * length);
    const rows = [sequenceRow(shown), hitsRow(shown, place), ...Object.keys(shown.weights).map((view) => viewRow(view, shown)), mutagenesisRow(shown), temporalRow(shown)].filter(Boolean);

    const box = html("div", "tracks");
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", "Views of " + element.dataset.name + ", aligned");
    box.style.setProperty("--seen", width + "px");
    const parts = rows.map((row) => {
      const track = html("div", "track");
      track.style.width = full + "px";
      const head = html("div", "track-head");
      const value = html("span", "value");
      head.append(html("span", "name", row.name), html("span", "about", row.about), ...(row.keys || []).map(key), value);
      const picture = drawing(full, row.height, row.label);
      row.draw(picture, place);
      const cursor = svg("rect", { class: "cursor", y: 0, width: two(dx), height: row.height });
      picture.prepend(cursor);
      track.append(head, picture);
      box.append(track);
      return { row, value, cursor };
    });

    const tools = html("div", "cursor-tools screen-only");
    const label = html("label", "", "Position");
    const slider = html("input");
    slider.type = "range";
    slider.min = 1;
    slider.max = length;
    slider.id = "position-" + element.dataset.network + "-" + element.dataset.shown;
    label.htmlFor = slider.id;
    const said = html("output");
    said.htmlFor = slider.id;
    tools.append(label, slider, said);

    function look(i) {
      position = i;
      slider.value = i + 1;
      const known = shown.first ? ` (${shown.first[0]}:${(shown.first[1] + i).toLocaleString("en")})` : "";
      said.textContent = `${i + 1}: ${seen(shown.letters[i])}${known}`;
      for (const { row, value, cursor } of parts) {
        value.textContent = row.value(i);
        cursor.setAttribute("x", two(place.left + i * dx));
      }
    }
    function show(i) {
      look(i);
      const x = LEFT + (i + 0.5) * dx;
      if (x < box.scrollLeft + LEFT || x > box.scrollLeft + box.clientWidth - dx) box.scrollLeft = x - box.clientWidth / 2;
    }
    slider.addEventListener("input", () => show(Number(slider.value) - 1));
    box.addEventListener("pointermove", (event) => {
      const i = Math.floor((event.clientX - box.getBoundingClientRect().left + box.scrollLeft - LEFT) / dx);
      if (i >= 0 && i < length) look(i);
    });
    element.replaceChildren(tools, box);
    // At first, the letter with the highest weight of the first view.
    const [first] = Object.values(shown.weights);
    show(position === null || position >= length ? first.indexOf(Math.max(...first)) : position);
  }

  // ---- Logos of motifs, optima and filters
  function axisLogo(columns, start, total, dx, tall, highest, unitName, label) {
    const picture = drawing(Math.ceil(LEFT + total * dx + RIGHT), tall + 10, label);
    const unit = tall / highest;
    const right = LEFT + total * dx;
    ticks(picture, LEFT, right, [[tall + 5, "0", true], [5, short(highest) + unitName, false]]);
    logo(picture, columns, { left: LEFT + start * dx, dx, zero: tall + 5, unit });
    return picture;
  }

  const textOf = (heights) => heights.map((row) => {
    const best = row.indexOf(Math.max(...row));
    return row[best] > 0.25 ? data.letters[best] : "n";
  }).join("");

  function drawMotif(element, width) {
    const logos = data.networks[element.dataset.network].motif.slice(0, Number(element.dataset.rows || Infinity));
    const first = Math.min(...logos.map((each) => each.start));
    const total = Math.max(...logos.map((each) => each.start + each.heights.length)) - first;
    const dx = Math.min(34, (width - LEFT - RIGHT) / total);
    const made = logos.map((each) => {
      const row = html("div", "track");
      const head = html("div", "track-head");
      head.append(html("span", "name", each.title));
      row.append(head, axisLogo(columnsOf(each.heights), each.start - first, total, dx, 78, Math.log2(data.letters.length), "", `Logo of ${each.title}: ${textOf(each.heights)}`));
      return row;
    });
    element.replaceChildren(...made);
  }

  function inBox(element, name, picture) {
    const box = html("div", "tracks");
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", name);
    box.append(picture);
    element.replaceChildren(box);
  }

  function drawOptimum(element, width) {
    const heights = data.networks[element.dataset.network].optimum;
    const dx = Math.max(LEAST, (width - LEFT - RIGHT) / heights.length);
    const highest = Math.max(1e-9, ...heights.map((row) => row.reduce((sum, value) => sum + value, 0)));
    inBox(element, "Class optimum", axisLogo(columnsOf(heights), 0, heights.length, dx, 78, highest, "", "Class optimum as a logo of its values"));
  }

  function drawDesign(element, width) {
    const letters = data.networks[element.dataset.network].design;
    const dx = Math.max(LEAST, (width - LEFT - RIGHT) / letters.length);
    const picture = drawing(Math.round(LEFT + RIGHT + dx * letters.length), 40, "Designed sequence: " + letters);
    sequenceRow({ letters }).draw(picture, { left: LEFT, dx, length: letters.length });
    inBox(element, "Designed sequence", picture);
  }

  function drawSmall(element) {
    const heights = data.networks[element.dataset.network].logos[element.dataset.motif];
    const picture = drawing(heights.length * 13, 38, "Logo: " + textOf(heights));
    logo(picture, columnsOf(heights), { left: 0, dx: 13, zero: 36, unit: 34 / Math.log2(data.letters.length) });
    element.replaceChildren(picture);
  }

  const DRAW = { tracks: drawTracks, motif: drawMotif, optimum: drawOptimum, design: drawDesign, small: drawSmall };

  // Draw what can be seen, and again when its width has changed.
  function refresh() {
    for (const element of document.querySelectorAll("[data-draw]")) {
      const width = element.clientWidth;
      if (!width || element.dataset.width === String(width) || element.closest("details:not([open])")) continue;
      element.dataset.width = width;
      DRAW[element.dataset.draw](element, width);
    }
    document.documentElement.dataset.drawn = "yes";
  }

  // ---- The choice of network and sequence, which is part of the address
  const networks = Object.keys(data.networks);
  const choice = document.getElementById("network");
  const blocks = [...document.querySelectorAll(".network")];

  const chosenShown = (block) => {
    const radio = block.querySelector(".choice input:checked");
    return radio ? radio.value : "0";
  };

  function choose() {
    const network = choice ? choice.value : networks[0];
    for (const block of blocks) {
      block.hidden = block.dataset.network !== network;
      const shown = chosenShown(block);
      for (const panel of block.querySelectorAll(".shown")) panel.hidden = panel.dataset.shown !== shown;
    }
    refresh();
  }

  function remember() {
    const block = blocks.find((each) => !each.hidden && each.querySelector(".choice"));
    if (block) history.replaceState(null, "", "#show=" + encodeURIComponent(block.dataset.network) + "," + chosenShown(block));
  }

  function fromAddress() {
    const match = /^#show=([^,]+),(\d+)$/.exec(window.location.hash);
    if (!match) return;
    const network = networks.find((name) => encodeURIComponent(name) === match[1]);
    if (network === undefined) return;
    if (choice) choice.value = network;
    const block = blocks.find((each) => each.dataset.network === network && each.querySelector(".choice"));
    const radio = block.querySelector(`.choice input[value="${match[2]}"]`);
    if (radio) radio.checked = true;
    choose();
    document.getElementById("sequences").scrollIntoView();
  }

  if (choice) choice.addEventListener("change", () => { choose(); remember(); });
  for (const radio of document.querySelectorAll(".choice input")) radio.addEventListener("change", () => { choose(); remember(); });
  for (const details of document.querySelectorAll("details")) details.addEventListener("toggle", refresh);
  window.addEventListener("hashchange", fromAddress);
  new ResizeObserver(() => requestAnimationFrame(refresh)).observe(document.getElementById("content"));
  choose();
  fromAddress();
})();
