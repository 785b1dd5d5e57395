// Shared by the tree and the table of a weight file: elements and a search field.
// Names come from untrusted files, so they are only ever set as text, never as HTML.

const SEARCH_DELAY = 150; // ms after the last keystroke

function make(tag, name, text = "") {
  const element = document.createElement(tag);
  if (name) element.className = `chainer-seg-${name}`;
  element.textContent = text;
  return element;
}

// Adds a field bound to the trait `search`; returns the element for the number of matches beside it.
function addSearch(model, el, label) {
  const bar = make("div", "weights-search");
  const field = make("input");
  field.type = "search";
  field.placeholder = label;
  field.setAttribute("aria-label", label);
  field.value = model.get("search");
  const count = make("span", "weights-count");
  bar.append(field, count);
  el.append(bar);
  let timer;
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      model.set("search", field.value);
      model.save_changes();
    }, SEARCH_DELAY);
  });
  model.on("change:search", () => {
    if (field.value !== model.get("search")) field.value = model.get("search");
  });
  return count;
}

function isFound(words, text) {
  return words.every((word) => text.includes(word));
}

function searchWords(model) {
  return model.get("search").toLowerCase().split(/\s+/).filter(Boolean);
}
