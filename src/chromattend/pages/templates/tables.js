// Tables of class "data": a button in each heading sorts the rows, an input filters them, and the shown rows can be
// downloaded as a TSV file named by data-name. If a table cell has a data-value, it is used for sorting and in the file.
// data-filter="no" omits the filter, for tables of a few rows. Without this script the tables are plain tables.
(() => {
  "use strict";
  const MISSING = new Set(["", "-", "–", "NA", "NaN"]);
  const text = (cell) => cell.textContent.replace(/\s+/g, " ").trim();
  const valueOf = (cell) => (cell.hasAttribute("data-value") ? cell.getAttribute("data-value") : text(cell));

  // The number at the start of a table cell: 1,234 or +0.012 or 62.5 %; the lower end of an interval.
  function number(value) {
    const match = /^[+\-−]?(\d[\d,]*\.?\d*|\.\d+)(e[+-]?\d+)?/i.exec(value);
    return match ? Number(match[0].replace(/,/g, "").replace("−", "-")) : NaN;
  }

  function sortRows(body, column, descending) {
    const rows = [...body.rows].map((row) => ({ row, value: valueOf(row.cells[column]) }));
    const present = rows.filter(({ value }) => !MISSING.has(value));
    const numeric = present.every(({ value }) => !Number.isNaN(number(value)));
    const collator = new Intl.Collator("en", { numeric: true });
    const compare = numeric
      ? (a, b) => number(a.value) - number(b.value)
      : (a, b) => collator.compare(a.value, b.value);
    present.sort((a, b) => (descending ? compare(b, a) : compare(a, b)));
    // Missing values come last in either order.
    const missing = rows.filter(({ value }) => MISSING.has(value));
    body.append(...[...present, ...missing].map(({ row }) => row));
  }

  function makeSortable(table, headings) {
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      const order = document.createElement("span");
      order.className = "order";
      order.setAttribute("aria-hidden", "true");
      button.append(order);
      heading.append(button);
      button.addEventListener("click", () => {
        const descending = heading.getAttribute("aria-sort") === "ascending";
        for (const other of headings) {
          other.removeAttribute("aria-sort");
          other.querySelector(".order").textContent = "";
        }
        heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
        order.textContent = descending ? " ▾" : " ▴";
        for (const body of table.tBodies) sortRows(body, column, descending);
      });
    });
  }

  function save(name, content) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type: "text/tab-separated-values" }));
    link.download = name;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  function enhance(table, index) {
    const headings = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    const titles = headings.map(text);
    makeSortable(table, headings);
    const rows = () => [...table.tBodies].flatMap((body) => [...body.rows]);
    const tools = document.createElement("div");
    tools.className = "table-tools";

    if (table.dataset.filter !== "no") {
      const label = document.createElement("label");
      const input = document.createElement("input");
      input.type = "search";
      input.id = "filter-of-table-" + index;
      label.htmlFor = input.id;
      label.textContent = "Filter rows";
      const count = document.createElement("span");
      count.className = "count";
      count.setAttribute("role", "status");
      input.addEventListener("input", () => {
        const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
        let shown = 0;
        for (const row of rows()) {
          const content = text(row).toLowerCase();
          row.hidden = !words.every((word) => content.includes(word));
          shown += row.hidden ? 0 : 1;
        }
        count.textContent = words.length ? shown + " of " + rows().length + " rows" : "";
      });
      tools.append(label, input, count);
    }

    const download = document.createElement("button");
    download.type = "button";
    download.textContent = "Download TSV";
    const name = table.dataset.name || "table";
    download.setAttribute("aria-label", "Download TSV of " + name);
    download.addEventListener("click", () => {
      const shown = rows().filter((row) => !row.hidden);
      const lines = [titles, ...shown.map((row) => [...row.cells].map(valueOf))];
      save(name + ".tsv", lines.map((cells) => cells.map((cell) => cell.replace(/[\t\r\n]+/g, " ")).join("\t") + "\n").join(""));
    });
    tools.append(download);
    (table.closest(".scroll") || table).before(tools);
  }

  document.querySelectorAll("table.data").forEach(enhance);
})();
