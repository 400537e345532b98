// Confusions of a system at a level, counted from the images themselves.
const data = JSON.parse(document.getElementById("data").textContent);
const thumbnails = JSON.parse(document.getElementById("thumbnails").textContent);

// Classes of a level: names, how many, and the class of a label.
const levels = {
  superclass: { names: data.superclasses, of: (label) => data.superclass_of_label[label] },
  label: { names: data.labels, of: (label) => label },
};

// Where each label stands when they are sorted by superclass.
const placeOfLabel = new Int32Array(data.labels.length);
data.order.forEach((label, place) => { placeOfLabel[label] = place; });

const remembered = new Map();

// Returns for a system and level: `cells`, from true * classes + decided to the numbers of the
// misclassified images there; `counts`, of images there, right ones included; `totals`, images of
// each true class; `wrong`, those of them in another column.
function confusions(system, level) {
  const name = `${system} ${level}`;
  if (!remembered.has(name)) remembered.set(name, countConfusions(system, levels[level]));
  return remembered.get(name);
}

function countConfusions(system, { names, of }) {
  const size = names.length;
  const cells = new Map();
  const counts = new Map();
  const totals = new Int32Array(size);
  const wrong = new Int32Array(size);
  const add = (key, count) => counts.set(key, (counts.get(key) || 0) + count);
  data.right[system].forEach((count, label) => {
    if (count) add(of(label) * size + of(label), count);
    totals[of(label)] += count;
  });
  const decided = data.decided[system].label;
  data.images.true.forEach((label, image) => {
    if (decided[image] === label) return;
    const key = of(label) * size + of(decided[image]);
    add(key, 1);
    totals[of(label)] += 1;
    wrong[of(label)] += of(label) !== of(decided[image]);
    if (!cells.has(key)) cells.set(key, []);
    cells.get(key).push(image);
  });
  return { size, cells, counts, totals, wrong };
}

// Cells off the diagonal, [true, decided, count], largest first.
function wrongCells(system, level) {
  const { size, counts } = confusions(system, level);
  return [...counts]
    .map(([key, count]) => [Math.floor(key / size), key % size, count])
    .filter(([truth, decided]) => truth !== decided)
    .sort((a, b) => b[2] - a[2] || a[0] - b[0] || a[1] - b[1]);
}

function systemLabel(system) {
  return data.systems.find((entry) => entry.id === system).label;
}

function plural(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

function percent(part, whole) {
  return whole ? `${((100 * part) / whole).toFixed(part === whole ? 0 : 1)} %` : "undefined";
}
