// A searchable table.

function render({ model, el }) {
  el.classList.add("chainer-seg-weights");
  const count = addSearch(model, el, "Search the table");
  const box = make("div", "weights-box");
  box.tabIndex = 0; // so that it can be scrolled by keys
  const table = make("table", "weights-table");
  box.append(table);
  el.append(box);
  let lines = [];
  const filter = () => {
    const words = searchWords(model);
    let shown = 0;
    for (const [search, line] of lines) {
      line.hidden = !isFound(words, search);
      if (!line.hidden) shown += 1;
    }
    const all = `${lines.length} row${lines.length === 1 ? "" : "s"}`;
    count.textContent = words.length ? `${shown} of ${all}` : all;
  };
  const draw = () => {
    const head = make("tr");
    head.append(...model.get("columns").map((name) => make("th", "", name)));
    lines = model.get("rows").map((row) => {
      const line = make("tr");
      line.append(...row.map((text) => make("td", "", text)));
      return [row.join(" ").toLowerCase(), line];
    });
    const top = make("thead");
    const body = make("tbody");
    top.append(head);
    body.append(...lines.map(([, line]) => line));
    table.replaceChildren(top, body);
    filter();
  };
  model.on("change:rows", draw);
  model.on("change:search", filter);
  draw();
}

export default { render };
