// What is chosen: system, level, and a cell, from the matrix, the two lists, or the worst pairs.
const WORST_PAIRS = 15;
const control = (id) => document.getElementById(id);

function settings() {
  return {
    system: control("system").value, level: control("level").value,
    within: control("within").value, diagonal: control("diagonal").checked,
  };
}

function option(value, text) {
  const element = textElement("option", text);
  element.value = value;
  return element;
}

// Options of classes; subclasses stand under their superclass.
function classOptions(level, entries) {
  if (level === "superclass") return entries.map(([index, text]) => option(index, text));
  const found = new Map();
  for (const [label, text] of entries) {
    const group = data.superclass_of_label[label];
    if (!found.has(group)) {
      const element = document.createElement("optgroup");
      element.label = data.superclasses[group];
      found.set(group, element);
    }
    found.get(group).append(option(label, text));
  }
  return [...found.values()];
}

function listTrue() {
  const { system, level } = settings();
  const { names } = levels[level];
  const { totals, wrong } = confusions(system, level);
  const shown = shownClasses(level, "").filter((index) => wrong[index]);
  control("true").replaceChildren(option("", "choose"), ...classOptions(level,
    shown.map((index) => [index, `${names[index]} (${wrong[index]} of ${totals[index]} wrong)`])));
}

function listDecided() {
  const { system, level } = settings();
  const truth = control("true").value;
  const cells = truth === "" ? [] : wrongCells(system, level).filter((cell) => cell[0] === Number(truth));
  control("decided").replaceChildren(option("", cells.length ? "choose" : "choose true first"),
    ...cells.map(([, decided, count]) => option(decided, `${levels[level].names[decided]} (${count})`)));
  control("decided").disabled = !cells.length;
}

function choose(truth, decided) {
  const { system, level } = settings();
  control("true").value = truth;
  listDecided();
  control("decided").value = decided;
  showCell(system, level, truth, decided);
}

// Where the images stand below the matrix, they are brought into sight.
function reveal() {
  const panel = document.getElementById("panel").getBoundingClientRect();
  if (panel.top < 0 || panel.top > innerHeight * 0.8) {
    galleryTitle.scrollIntoView({ block: "start", behavior: "instant" });
  }
}

function pairRow([truth, decided, count]) {
  const { level, system } = settings();
  const { names } = levels[level];
  const button = textElement("button", "Images", "quiet");
  button.type = "button";
  button.setAttribute("aria-label", `Images of ${names[truth]} taken for ${names[decided]}`);
  button.addEventListener("click", () => {
    choose(truth, decided);
    reveal();
    galleryTitle.focus({ preventScroll: true });
  });
  const last = document.createElement("td");
  last.append(button);
  const head = textElement("th", names[truth]);
  head.scope = "row";
  const row = document.createElement("tr");
  row.append(head, textElement("td", names[decided], "text"), textElement("td", count.toLocaleString("en")),
    textElement("td", percent(count, confusions(system, level).totals[truth])), last);
  return row;
}

function listPairs() {
  const { system, level } = settings();
  const cells = wrongCells(system, level);
  const images = cells.reduce((sum, cell) => sum + cell[2], 0);
  const noun = level === "superclass" ? "superclass" : "subclass";
  document.getElementById("pairs-told").textContent =
    `${systemLabel(system)}: ${plural(images, "image")} with a wrong ${noun} in ${plural(cells.length, "pair")}; the ${Math.min(WORST_PAIRS, cells.length)} largest:`;
  document.querySelector("#pairs tbody").replaceChildren(...cells.slice(0, WORST_PAIRS).map(pairRow));
}

async function refresh() {
  const chosen = settings();
  control("within-label").hidden = chosen.level === "superclass";
  listTrue();
  listDecided();
  listPairs();
  const [worst] = wrongCells(chosen.system, chosen.level);
  if (worst) choose(worst[0], worst[1]);
  else clearGallery();
  await drawMatrix(chosen);
}

function fillControls() {
  control("system").append(...data.systems.map(({ id, label }) => option(id, label)));
  const usual = ["hard", "vanilla", "flat"].find((id) => data.decided[id]);
  if (usual) control("system").value = usual;
  control("within").append(option("", "all superclasses"),
    ...data.superclasses.map((name, index) => option(index, name)));
  control("controls").addEventListener("change", refresh);
  control("controls").addEventListener("submit", (event) => event.preventDefault());
  control("true").addEventListener("change", () => { listDecided(); clearGallery(); });
  control("decided").addEventListener("change", () => {
    if (control("decided").value !== "") choose(Number(control("true").value), Number(control("decided").value));
  });
}

async function start() {
  if (!data.systems.length) {
    document.getElementById("matrix-state").textContent = "No system was evaluated.";
    return;
  }
  fillControls();
  await loadPlotly();
  document.getElementById("matrix-state").remove();
  await refresh();
  plot.addEventListener("click", (event) => {
    const cell = cellAt(event);
    if (!cell) return;
    choose(cell.truth, cell.decided);
    reveal();
  });
  plot.addEventListener("pointermove", showTooltip);
  plot.addEventListener("pointerleave", () => { tooltip.hidden = true; });
  plot.on("plotly_relayout", adapt);
  showAll.addEventListener("click", () => drawMatrix(settings()));
  document.addEventListener("themechange", () => drawMatrix(settings()));
  let width = plot.clientWidth;
  new ResizeObserver(() => {
    if (plot.clientWidth === width) return;
    width = plot.clientWidth;
    drawMatrix(settings());
  }).observe(plot);
  plot.dataset.ready = "";
}

await start();
