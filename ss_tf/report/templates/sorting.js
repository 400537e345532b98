// Tables whose headers sort: first down, for numbers, or up, for names; then the other way.
function cellValue(row, column) {
  const text = row.cells[column].dataset.value;
  if (text === undefined) return null;
  return column === 0 ? text : Number(text);
}

function compareCells(first, second, sign) {
  if (first === null || second === null) return (first === null) - (second === null);
  return sign * (typeof first === "string" ? first.localeCompare(second) : first - second);
}

function sortBy(table, column) {
  const header = table.tHead.rows[0].cells[column];
  const usual = column === 0 ? "ascending" : "descending";
  const other = column === 0 ? "descending" : "ascending";
  const direction = header.getAttribute("aria-sort") === usual ? other : usual;
  const sign = direction === "ascending" ? 1 : -1;
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => compareCells(cellValue(a, column), cellValue(b, column), sign));
  table.tBodies[0].append(...rows);
  for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", direction);
}

for (const table of document.querySelectorAll("table[data-sortable]")) {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    header.querySelector("button").addEventListener("click", () => sortBy(table, column));
  });
}
