// The matrix: a heatmap of Plotly whose colours tell what an error costs.
const plot = document.getElementById("matrix");
const tooltip = document.getElementById("tooltip");
const showAll = document.getElementById("show-all");
const MOST_NAMED = 60;
const MOST_WITH_COUNTS = 16;
const WIDEST = 720;
// A cell's colour: kind, and within it the logarithm of its count. Across superclasses is -1 to 0,
// inside the superclass 0 to 1, right 1 to 2.
const KINDS = [
  { name: "across", told: "another superclass", light: ["#f5b48f", "#d55e00", "#6b2c00"], dark: ["#4d2a17", "#e2701a", "#ffd9bd"] },
  { name: "inside", told: "the right superclass", light: ["#f5d48a", "#e69f00", "#6e4b00"], dark: ["#423514", "#e6a817", "#fff0c2"] },
  { name: "right", told: "right", light: ["#b9d8ea", "#0072b2", "#00324f"], dark: ["#16303f", "#2f93cc", "#c9e8fa"] },
];

let view = null;

function colorscale() {
  return KINDS.flatMap((kind, place) => {
    const [low, middle, high] = kind[themeIsDark() ? "dark" : "light"];
    return [[place / 3, low], [(place + 0.5) / 3, middle], [(place + 1) / 3, high]];
  });
}

function kindOf(level, truth, decided) {
  if (truth === decided) return 2;
  const { superclass_of_label: group } = data;
  return level === "label" && group[truth] === group[decided] ? 1 : 0;
}

// Classes in the order shown: of the superclass `within`, or all of them.
function shownClasses(level, within) {
  if (level === "superclass") return data.superclasses.map((_, index) => index);
  const all = data.order;
  return within === "" ? all : all.filter((label) => data.superclass_of_label[label] === Number(within));
}

function buildView({ system, level, within, diagonal }) {
  const classes = shownClasses(level, within);
  const placeOf = new Map(classes.map((index, place) => [index, place]));
  const found = confusions(system, level);
  const shown = [];
  const most = [0, 0, 0];
  for (const [key, count] of found.counts) {
    const truth = Math.floor(key / found.size);
    const decided = key % found.size;
    if (!placeOf.has(truth) || !placeOf.has(decided)) continue;
    if (truth === decided && !diagonal) continue;
    const kind = kindOf(level, truth, decided);
    most[kind] = Math.max(most[kind], count);
    shown.push([placeOf.get(truth), placeOf.get(decided), kind, count]);
  }
  const z = classes.map(() => new Float32Array(classes.length).fill(NaN));
  for (const [row, column, kind, count] of shown) {
    // Just inside the ends, where two kinds would meet.
    const shade = 0.02 + 0.96 * Math.log1p(count - 1) / Math.log1p(Math.max(most[kind] - 1, 1));
    z[row][column] = kind - 1 + shade;
  }
  return { system, level, within, classes, found, z, most, shown };
}

// Plotly reads a little HTML in texts.
function plain(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function shortened(text, longest = 16) {
  return text.length <= longest ? text : `${text.slice(0, longest - 1)}…`;
}

// Runs of classes of one superclass: [superclass, first place, places].
function groups(classes) {
  const runs = [];
  classes.forEach((label, place) => {
    const group = data.superclass_of_label[label];
    if (runs.length && runs.at(-1)[0] === group) runs.at(-1)[2] += 1;
    else runs.push([group, place, 1]);
  });
  return runs;
}

// Ticks for the places in sight: classes where there is room for their names, else superclasses.
function ticks({ level, classes }, [start, end]) {
  const first = Math.max(Math.ceil(Math.min(start, end)), 0);
  const last = Math.min(Math.floor(Math.max(start, end)), classes.length - 1);
  if (level === "superclass" || last - first < MOST_NAMED) {
    const places = classes.map((_, place) => place).slice(first, last + 1);
    const texts = places.map((place) => plain(shortened(levels[level].names[classes[place]])));
    return { tickvals: places, ticktext: texts };
  }
  const runs = groups(classes);
  // Names of narrow groups would lie on one another.
  const wide = runs.filter(([, , count]) => runs.length < 25 || count > classes.length / 45);
  return {
    tickvals: wide.map(([, begin, count]) => begin + (count - 1) / 2),
    ticktext: wide.map(([group]) => plain(shortened(data.superclasses[group]))),
  };
}

function borders({ level, classes }, color) {
  if (level === "superclass") return [];
  const end = classes.length - 0.5;
  const line = { color, width: 1 };
  return groups(classes).slice(1).flatMap(([, first]) => [
    { type: "line", layer: "above", line, x0: first - 0.5, x1: first - 0.5, y0: -0.5, y1: end },
    { type: "line", layer: "above", line, y0: first - 0.5, y1: first - 0.5, x0: -0.5, x1: end },
  ]);
}

function annotations({ shown, classes }) {
  if (classes.length > MOST_WITH_COUNTS) return [];
  return shown.map(([row, column, kind, count]) => ({
    x: column, y: row, text: count.toLocaleString("en"), showarrow: false,
    font: { size: 11, color: textColor(view.z[row][column] - kind + 1, kind) },
  }));
}

// Black or white, whichever stands out more: WCAG's relative luminance.
function textColor(shade, kind) {
  const stops = KINDS[kind][themeIsDark() ? "dark" : "light"].map((color) =>
    [1, 3, 5].map((place) => parseInt(color.slice(place, place + 2), 16) / 255));
  const [from, to] = shade < 0.5 ? stops : stops.slice(1);
  const part = shade < 0.5 ? 2 * shade : 2 * shade - 1;
  const linear = from.map((value, channel) => {
    const mixed = value + part * (to[channel] - value);
    return mixed <= 0.04045 ? mixed / 12.92 : ((mixed + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return (luminance + 0.05) ** 2 > 1.05 * 0.05 ? "#000000" : "#ffffff";
}

function layout(side) {
  const css = getComputedStyle(document.documentElement);
  const color = css.getPropertyValue("--muted").trim();
  const last = view.classes.length - 0.5;
  const axis = {
    ...ticks(view, [-0.5, last]), tickmode: "array", showgrid: false, zeroline: false, ticks: "", automargin: true,
    tickfont: { size: 11 }, linecolor: css.getPropertyValue("--line").trim(), mirror: true, showline: true,
  };
  return {
    width: side, height: side, margin: { l: 8, r: 8, t: 8, b: 8 }, hovermode: false,
    paper_bgcolor: "transparent", plot_bgcolor: css.getPropertyValue("--surface").trim(),
    font: { family: getComputedStyle(document.body).fontFamily, color },
    // On a touch screen a drag scrolls the page.
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    xaxis: { ...axis, range: [-0.5, last], tickangle: -60, title: { text: "decided" } },
    yaxis: { ...axis, range: [last, -0.5], title: { text: "true" } },
    shapes: borders(view, css.getPropertyValue("--line").trim()),
    annotations: annotations(view),
  };
}

// With more cells than pixels, single ones would be dropped: then they are averaged.
function smoothing(cells, pixels) {
  return cells > pixels ? "fast" : false;
}

// After a zoom: names that there is now room for, and cells as sharp as they can be.
function adapt() {
  const { xaxis, yaxis } = plot._fullLayout;
  const cells = Math.abs(xaxis.range[1] - xaxis.range[0]);
  showAll.hidden = cells >= view.classes.length;
  const [across, down] = [xaxis, yaxis].map((axis) => ticks(view, axis.range));
  const isCurrent = [[xaxis, across], [yaxis, down]].every(
    ([axis, { tickvals }]) => String(axis.tickvals) === String(tickvals));
  const zsmooth = smoothing(cells, xaxis._length);
  if (isCurrent && plot.data[0].zsmooth === zsmooth) return;
  Plotly.update(plot, { zsmooth }, {
    "xaxis.tickvals": across.tickvals, "xaxis.ticktext": across.ticktext,
    "yaxis.tickvals": down.tickvals, "yaxis.ticktext": down.ticktext,
  });
}

function drawMatrix(settings) {
  view = buildView(settings);
  const side = Math.min(plot.clientWidth, WIDEST);
  const trace = {
    type: "heatmap", z: view.z, zmin: -1, zmax: 2, colorscale: colorscale(), showscale: false,
    hoverinfo: "skip", zsmooth: smoothing(view.classes.length, side),
    xgap: view.classes.length <= MOST_NAMED ? 1 : 0, ygap: view.classes.length <= MOST_NAMED ? 1 : 0,
  };
  const noun = settings.level === "superclass" ? "superclasses" : "subclasses";
  plot.setAttribute("aria-label", `Confusion matrix of ${systemLabel(settings.system)} between ` +
    `${view.classes.length} ${noun}. The lists beside it reach the same cells.`);
  drawLegend();
  showAll.hidden = true;
  return Plotly.react(plot, [trace], layout(side), { displayModeBar: false, showTips: false, doubleClick: false });
}

function drawLegend() {
  const theme = themeIsDark() ? "dark" : "light";
  const rows = [1, 0, 2].filter((kind) => view.most[kind]).map((kind) => {
    const row = textElement("span", "", "scale");
    const ramp = document.createElement("i");
    ramp.style.background = `linear-gradient(90deg, ${KINDS[kind][theme].join(", ")})`;
    const told = kind === 2 ? "right" : `wrong, ${KINDS[kind].told}`;
    row.append(textElement("b", told), textElement("span", "1"), ramp,
      textElement("span", view.most[kind].toLocaleString("en")));
    return row;
  });
  document.getElementById("legend").replaceChildren(...rows);
}

// The filled cell under the pointer, or null. Plotly's own events lag behind a quick pointer, and
// would tell the cell before.
function cellAt({ clientX, clientY }) {
  const { xaxis, yaxis } = plot._fullLayout;
  const { left, top } = plot.getBoundingClientRect();
  const across = clientX - left - xaxis._offset;
  const down = clientY - top - yaxis._offset;
  if (across < 0 || across > xaxis._length || down < 0 || down > yaxis._length) return null;
  const [row, column] = [Math.round(yaxis.p2l(down)), Math.round(xaxis.p2l(across))];
  if (!(view.z[row]?.[column] >= -1)) return null;
  return { truth: view.classes[row], decided: view.classes[column] };
}

function showTooltip(event) {
  const cell = cellAt(event);
  tooltip.hidden = !cell;
  if (!cell) return;
  const { truth, decided } = cell;
  const { names } = levels[view.level];
  const count = view.found.counts.get(truth * view.found.size + decided);
  tooltip.replaceChildren(
    textElement("b", `${names[truth]} → ${names[decided]}`),
    textElement("span", `${plural(count, "image")}, ${percent(count, view.found.totals[truth])} of ${names[truth]}`),
  );
  const left = Math.min(event.clientX + 14, innerWidth - tooltip.offsetWidth - 8);
  const below = event.clientY + 14 + tooltip.offsetHeight < innerHeight;
  const top = event.clientY + (below ? 14 : -14 - tooltip.offsetHeight);
  tooltip.style.transform = `translate(${Math.max(left, 8)}px, ${top}px)`;
}

async function loadPlotly() {
  const packed = atob(document.getElementById("plotly").textContent);
  const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const text = await new Response(stream).blob();
  const script = document.createElement("script");
  script.src = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  await new Promise((resolve, reject) => {
    script.onload = resolve;
    script.onerror = () => reject(new Error("Plotly could not be loaded."));
    document.head.append(script);
  });
}
