// Sorts and filters the lists of a page. Without it they are plain tables.
"use strict";

for (const section of document.querySelectorAll(".listing")) {
  const tools = section.querySelector(".tools");
  const search = tools.querySelector("input");
  const selects = [...tools.querySelectorAll("select")];
  const body = section.querySelector("tbody");
  const rows = [...body.rows];
  const textOf = (row, column) => row.cells[column].textContent.trim();

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const chosen = selects.every(
        (select) => !select.value || textOf(row, select.dataset.column) === select.value);
      row.hidden = !chosen || !words.every((word) => text.includes(word));
    }
    const shown = rows.filter((row) => !row.hidden).length;
    tools.querySelector("output").textContent = `${shown} of ${rows.length} rows`;
  }

  // Numbers by size, other texts as people sort them; undefined numbers last, both ways.
  function order(column, sign) {
    const texts = rows.map((row) => textOf(row, column));
    const isNumber = texts.every((text) => /^(–|[-+]?\d[\d.]*%?)$/.test(text));
    const valueOf = (row) => parseFloat(textOf(row, column));
    return (one, other) => {
      if (!isNumber) {
        const [a, b] = [textOf(one, column), textOf(other, column)];
        return sign * a.localeCompare(b, "en", { numeric: true });
      }
      const [a, b] = [valueOf(one), valueOf(other)];
      return isNaN(a) || isNaN(b) ? isNaN(a) - isNaN(b) : sign * (a - b);
    };
  }

  for (const [column, head] of [...section.querySelectorAll("thead th")].entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      body.append(...rows.sort(order(column, sign)));
    });
  }
  tools.addEventListener("input", filter);
  tools.hidden = false;
  filter();
}
