// Elements of a page, for the scripts of its drawings. Names come from users: they enter the page as text only.
window.chromattendElements = (() => {
  "use strict";
  const NS = "http://www.w3.org/2000/svg";

  function svg(name, attributes = {}, text) {
    const made = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function html(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  return { svg, html };
})();
