// The contents of a weight file as a collapsible, searchable tree.

// Builds the tree from rows of depth, label and text in depth-first order.
function nest(rows) {
  const root = { parts: [], path: "" };
  const open = [root];
  for (const [depth, label, text] of rows) {
    open.length = depth + 1;
    const above = open[depth];
    const path = label ? `${above.path}.${label}` : above.path;
    const node = { label, text, path, search: `${path} ${text}`.toLowerCase(), parts: [], depth };
    above.parts.push(node);
    open.push(node);
  }
  return root;
}

function drawNode(node, openDepth) {
  const label = make("span", "weights-label", node.label);
  const text = make("span", "weights-text", node.text);
  if (!node.parts.length) {
    node.element = make("div", "weights-leaf");
    node.element.append(label, text);
    return node.element;
  }
  node.element = make("details");
  node.element.open = node.depth < openDepth;
  const summary = make("summary");
  summary.append(label, text);
  node.element.append(summary, ...node.parts.map((part) => drawNode(part, openDepth)));
  return node.element;
}

// Hides nodes without a match and opens those with one inside; returns the number of matches.
function filterNode(node, words) {
  const self = isFound(words, node.search);
  let count = self && !node.parts.length ? 1 : 0;
  for (const part of node.parts) count += filterNode(part, words);
  node.element.hidden = words.length > 0 && !self && count === 0;
  if (node.parts.length && words.length) node.element.open = count > 0;
  return count;
}

function render({ model, el }) {
  el.classList.add("chainer-seg-weights");
  const count = addSearch(model, el, "Search the tree");
  const box = make("div", "weights-box");
  box.tabIndex = 0; // so that it can be scrolled by keys
  el.append(box);
  let root;
  const filter = () => {
    const words = searchWords(model);
    const found = root.parts.reduce((sum, node) => sum + filterNode(node, words), 0);
    count.textContent = words.length ? `${found} found` : "";
  };
  const draw = () => {
    root = nest(model.get("rows"));
    box.replaceChildren(...root.parts.map((node) => drawNode(node, model.get("open_depth"))));
    filter();
  };
  model.on("change:rows", draw);
  model.on("change:search", filter);
  draw();
}

export default { render };
