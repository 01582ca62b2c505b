// The figure of all epigenomes, and the comparison of selected epigenomes.
(() => {
  "use strict";
  const { models, epigenomes } = JSON.parse(document.getElementById("data").textContent);
  const { plot, escape, colour, series } = chromattend;
  // Epigenomes have eight colours, then the same colours with another symbol, so that no two look alike.
  const signs = ["circle", "diamond", "square", "triangle-up"];
  const sign = (index) => signs[Math.floor(index / 8) % signs.length];
  const three = (value) => value.toFixed(3);
  const shownModels = new Set(models.map((model) => model.id));
  const byName = (row) => escape(row.id);

  function figure() {
    const data = [];
    models.forEach((model) => {
      const visible = shownModels.has(model.id) ? true : "legendonly";
      const rows = epigenomes.filter((row) => model.id in row.aucs);
      data.push({
        type: "scatter",
        mode: "markers",
        name: escape(model.title),
        legendgroup: model.id,
        visible,
        x: rows.map((row) => row.aucs[model.id][0]),
        y: rows.map(byName),
        text: rows.map((row) => {
          const [auc, low, high] = row.aucs[model.id];
          return `<b>${escape(row.id)}</b> ${escape(row.name)}<br>${escape(model.title)}: ${three(auc)} (${three(low)} to ${three(high)})`;
        }),
        hovertemplate: "%{text}<extra></extra>",
        marker: { color: model.look.colour, symbol: model.look.symbol, size: 9, opacity: 0.9 },
      });
      const reported = epigenomes.flatMap((row) => (row.published[model.id] || []).map((value) => ({ row, ...value })));
      if (reported.length) {
        data.push({
          type: "scatter",
          mode: "markers",
          name: escape(model.title) + ", reported by others",
          legendgroup: model.id,
          showlegend: false,
          visible,
          x: reported.map((value) => value.auc),
          y: reported.map((value) => byName(value.row)),
          text: reported.map(
            (value) => `<b>${escape(value.row.id)}</b><br>${escape(model.title)}, ${escape(value.kind)} (${escape(value.by)}): ${three(value.auc)}`,
          ),
          hovertemplate: "%{text}<extra></extra>",
          marker: { color: model.look.colour, symbol: "line-ns-open", size: 11, line: { width: 2, color: model.look.colour } },
        });
      }
    });
    const order = epigenomes.map(byName).reverse();
    const layout = {
      height: 190 + 20 * epigenomes.length,
      xaxis: { title: { text: "AUC on the test genes" }, zeroline: false },
      yaxis: { type: "category", categoryorder: "array", categoryarray: order, automargin: true, dtick: 1, range: [-0.7, order.length - 0.3] },
      legend: { orientation: "h", y: 1, yanchor: "bottom", x: 0 },
      margin: { l: 60, r: 20, t: 90, b: 50 },
    };
    return { data, layout };
  }

  const chart = document.getElementById("auc");
  plot(chart, figure);
  // The legend needs a mouse; these checkboxes do the same by keyboard. Legend and checkboxes follow each other.
  const buttons = new Map();
  for (const model of models) {
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = true;
    box.addEventListener("change", () => {
      if (box.checked) shownModels.add(model.id);
      else shownModels.delete(model.id);
      plot(chart, figure);
    });
    label.append(box, " " + model.title);
    document.getElementById("model-choices").append(label);
    buttons.set(model.id, box);
  }
  chart.on("plotly_restyle", () => {
    for (const trace of chart.data) {
      const visible = trace.visible !== "legendonly";
      if (visible) shownModels.add(trace.legendgroup);
      else shownModels.delete(trace.legendgroup);
      buttons.get(trace.legendgroup).checked = visible;
    }
  });

  const boxes = [...document.querySelectorAll("#choices input")];
  const chosen = () => boxes.filter((box) => box.checked).map((box) => epigenomes[Number(box.value)]);

  function comparison() {
    const data = chosen().map((row, index) => {
      const evaluated = models.filter((model) => model.id in row.aucs);
      return {
        type: "scatter",
        mode: "markers",
        orientation: "h",
        name: escape(row.id),
        x: evaluated.map((model) => row.aucs[model.id][0]),
        y: evaluated.map((model) => escape(model.title)),
        error_x: {
          type: "data",
          symmetric: false,
          array: evaluated.map((model) => row.aucs[model.id][2] - row.aucs[model.id][0]),
          arrayminus: evaluated.map((model) => row.aucs[model.id][0] - row.aucs[model.id][1]),
          thickness: 1.2,
          width: 3,
          color: series(index),
        },
        text: evaluated.map((model) => `<b>${escape(row.id)}</b> ${escape(row.name)}<br>${escape(model.title)}: ${three(row.aucs[model.id][0])}`),
        hovertemplate: "%{text}<extra></extra>",
        marker: { color: series(index), symbol: sign(index), size: 10 },
      };
    });
    // By default, the axis of horizontal traces would begin at 0.
    const ends = chosen().flatMap((row) => Object.values(row.aucs).flatMap((value) => value.slice(1)));
    const range = ends.length ? [Math.min(...ends) - 0.01, Math.max(...ends) + 0.01] : [0.5, 1];
    const order = models.map((model) => escape(model.title)).reverse();
    const layout = {
      height: 180 + models.length * Math.max(34, 12 * data.length + 10),
      showlegend: true,
      xaxis: { title: { text: "AUC on the test genes" }, zeroline: false, range },
      yaxis: { type: "category", categoryorder: "array", categoryarray: order, automargin: true, range: [-0.7, order.length - 0.3] },
      legend: { orientation: "h", y: 1, yanchor: "bottom", x: 0 },
      // Epigenomes of one model are next to each other, not on top of each other.
      scattermode: "group",
      scattergap: 0.35,
    };
    return { data, layout };
  }

  function cell(kind, content) {
    const made = document.createElement(kind);
    made.textContent = content;
    return made;
  }

  function table() {
    const rows = chosen();
    const shown = document.getElementById("comparison-table");
    const head = document.createElement("tr");
    head.append(...["Model", ...rows.map((row) => row.id)].map((text) => Object.assign(cell("th", text), { scope: "col" })));
    shown.tHead.replaceChildren(head);
    shown.tBodies[0].replaceChildren(
      ...models.map((model) => {
        const line = document.createElement("tr");
        line.append(
          cell("td", model.title),
          ...rows.map((row) => {
            const interval = row.aucs[model.id];
            return cell("td", interval ? `${three(interval[0])} (${three(interval[1])} to ${three(interval[2])})` : "–");
          }),
        );
        return line;
      }),
    );
    document.getElementById("compared").textContent = rows.length
      ? "Compared: " + rows.map((row) => row.id).join(", ")
      : "Choose at least one epigenome.";
  }

  function compare() {
    plot(document.getElementById("comparison"), comparison);
    table();
  }
  boxes.forEach((box) => box.addEventListener("change", compare));
  compare();
})();
