// The choosers of a page of images: the attack whose examples are shown, and the measure of the table of detectors.
// Without this script the page shows the examples of all attacks, and the share that is noticed.
(() => {
  "use strict";
  const attack = document.getElementById("attack");
  const groups = [...document.querySelectorAll(".examples")];

  function showAttack() {
    for (const group of groups) group.hidden = attack.value !== "" && group.dataset.run !== attack.value;
  }

  const asked = new URLSearchParams(location.hash.slice(1)).get("attack");
  if (groups.some((group) => group.dataset.run === asked)) attack.value = asked;
  attack.addEventListener("change", () => {
    history.replaceState(null, "", attack.value ? "#attack=" + attack.value : location.pathname);
    showAttack();
  });
  showAttack();

  const measure = document.getElementById("measure");
  const cells = [...document.querySelectorAll("td.heat")];
  const percent = (share) => (100 * share).toFixed(1).replace(/\.0$/, "") + "\u00a0%";
  measure.addEventListener("change", () => {
    for (const cell of cells) {
      const given = cell.dataset[measure.value];
      const value = given === "" || given === undefined ? null : Number(given);
      cell.textContent = value === null ? "–" : measure.value === "auc" ? value.toFixed(3) : percent(value);
      // An AUC of 0.5 is that of chance.
      const shade = value === null ? 0 : measure.value === "auc" ? Math.max(0, 2 * value - 1) : value;
      cell.style.setProperty("--share", shade);
    }
    document.getElementById("heat-about").textContent = measure.selectedOptions[0].dataset.about;
  });

  document.querySelectorAll(".screen-only[hidden]").forEach((tools) => (tools.hidden = false));
})();
