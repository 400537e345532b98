// The images behind a cell. All of them are shown, some at a time so that the page stays quick.
const GALLERY_STEP = 200;
const gallery = document.getElementById("gallery");
const galleryTitle = document.getElementById("gallery-title");
const galleryTold = document.getElementById("gallery-told");
let galleryRun = 0;

function thousandths(value) {
  return value === null ? "not stored" : `${(value / 10).toFixed(value === 1000 ? 0 : 1)} %`;
}

function textElement(tag, text, className) {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

function picture(image) {
  const key = data.images.key[image];
  if (!thumbnails[image]) return textElement("span", key, "placeholder");
  const element = document.createElement("img");
  element.src = thumbnails[image];
  element.alt = key;
  element.addEventListener("load", () => {
    element.classList.toggle("small", element.naturalWidth <= 48);
  });
  return element;
}

function galleryItem(image, system, level) {
  const { label, superclass, both } = data.decided[system];
  const item = document.createElement("li");
  item.title = data.images.key[image];
  item.append(picture(image));
  if (level === "superclass") {
    const names = [data.images.true[image], label[image]].map((index) => data.labels[index]);
    item.append(textElement("span", names.join(" → "), "names"));
  }
  if (superclass) {
    item.append(textElement("span", `superclass ${thousandths(superclass[image])}`));
    item.append(textElement("span", `subclass ${thousandths(both[image])}`));
  }
  return item;
}

function cellTitle(level, truth, decided, count) {
  const { names } = levels[level];
  const told = truth === decided ? "with the right" : `taken for ${names[decided]}`;
  if (truth !== decided) return `${names[truth]}, ${told}: ${plural(count, "image")}`;
  return `${names[truth]}, ${told} ${level === "label" ? "subclass" : level}: ${plural(count, "image")}`;
}

function explanation(system, level, truth, decided, images) {
  const sentences = [];
  if (truth === decided && level === "superclass") {
    sentences.push(images.length
      ? `Of these, ${plural(images.length, "image")} with a wrong subclass.`
      : "All of these have the right subclass, too.");
  } else if (truth === decided) {
    sentences.push("Only images that some system gets wrong are kept in this page.");
  }
  if (images.length && data.decided[system].superclass) {
    sentences.push("Below each: probability of the decided superclass, and of the decided subclass.");
  }
  const missing = images.filter((image) => !thumbnails[image]).length;
  if (missing) {
    sentences.push(thumbnails.some(Boolean)
      ? `${plural(missing, "image")} shown by name: the page has no room for more thumbnails.`
      : "Images are shown by name: this page was written without the images.");
  }
  return sentences.join(" ");
}

function showCell(system, level, truth, decided) {
  const { size, cells, counts } = confusions(system, level);
  const key = truth * size + decided;
  const images = cells.get(key) || [];
  galleryTitle.textContent = cellTitle(level, truth, decided, counts.get(key) || 0);
  galleryTold.textContent = explanation(system, level, truth, decided, images);
  gallery.replaceChildren();
  gallery.scrollTop = 0;
  gallery.classList.toggle("many", images.length > GALLERY_STEP);
  galleryRun += 1;
  addItems(galleryRun, images, system, level, 0);
}

function addItems(run, images, system, level, start) {
  if (run !== galleryRun) return;
  const step = images.slice(start, start + GALLERY_STEP);
  gallery.append(...step.map((image) => galleryItem(image, system, level)));
  if (start + GALLERY_STEP < images.length) {
    requestAnimationFrame(() => addItems(run, images, system, level, start + GALLERY_STEP));
  }
}

function clearGallery() {
  galleryRun += 1;
  galleryTitle.textContent = "Choose a cell";
  galleryTold.textContent = "Its images appear here. By keyboard: choose a true and a decided class, or a pair from the list below.";
  gallery.replaceChildren();
}
