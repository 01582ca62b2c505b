// Shared by all plotly charts of a page: the page's colours, light or dark, and escaping of text.
const chromattend = (() => {
  "use strict";
  const drawn = new Map();
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  // Plotly interprets some HTML and %{...} in titles, names and labels; users' names must be shown literally.
  const escape = (value) =>
    String(value).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/%\{/g, "%&#123;");
  const series = (index) => colour("series-" + ((index % 8) + 1));

  function axis(given) {
    return { gridcolor: colour("grid"), linecolor: colour("strong-line"), zerolinecolor: colour("strong-line"), ...given };
  }

  function draw(element, make) {
    const { data, layout } = make();
    const axes = Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key));
    const ink = colour("ink");
    const themed = {
      autosize: true,
      paper_bgcolor: colour("paper"),
      plot_bgcolor: colour("paper"),
      font: { color: ink, family: getComputedStyle(document.body).fontFamily, size: 13 },
      hoverlabel: { bgcolor: colour("raised"), bordercolor: colour("strong-line"), font: { color: ink }, align: "left" },
      margin: { l: 60, r: 20, t: 30, b: 50 },
      ...layout,
      ...Object.fromEntries(axes.map((key) => [key, axis(layout[key])])),
    };
    const config = {
      responsive: true,
      displaylogo: false,
      // On a phone its buttons would lie on the legend.
      displayModeBar: element.dataset.bar !== "no" && window.innerWidth > 640,
      // Only buttons that work within the page: plotly's default set has one that sends the data to a server.
      modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
      showSendToCloud: false,
      plotlyServerURL: "",
      toImageButtonOptions: { format: "svg", filename: element.id },
    };
    return Plotly.react(element, data, themed, config);
  }

  // `make` returns {data, layout}; it is called again when the colour scheme changes, so it must use these colours.
  function plot(element, make) {
    drawn.set(element, make);
    return draw(element, make);
  }

  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", () => drawn.forEach((make, element) => draw(element, make)));
  return { plot, escape, colour, series };
})();
