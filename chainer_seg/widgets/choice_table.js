// A table whose numbers are buttons.

function render({ model, el }) {
  el.classList.add("chainer-seg-choices");
  const box = document.createElement("div");
  box.className = "chainer-seg-choices-box";
  box.tabIndex = 0; // so that it can be scrolled by keys
  el.append(box);
  const cell = (text, row, column) => {
    const made = document.createElement(column ? "td" : "th");
    if (!column || text === "0" || text === "-" || !model.get("choosable")[column]) {
      made.textContent = text;
      return made;
    }
    const button = document.createElement("button");
    button.textContent = text;
    button.title = `${model.get("rows")[row][0]}: ${model.get("choosable")[column]}`;
    button.addEventListener("click", () => {
      model.set("chosen", [row, column]);
      model.save_changes();
    });
    made.append(button);
    return made;
  };
  const mark = () => {
    const [row, column] = model.get("chosen");
    for (const button of box.querySelectorAll("button")) button.removeAttribute("aria-pressed");
    box.querySelectorAll("tbody tr")[row]?.children[column]?.querySelector("button")
      ?.setAttribute("aria-pressed", "true");
  };
  const draw = () => {
    const table = document.createElement("table");
    table.createCaption().textContent = model.get("caption");
    const head = table.createTHead().insertRow();
    for (const name of model.get("columns")) {
      const made = document.createElement("th");
      made.textContent = name;
      head.append(made);
    }
    const body = table.createTBody();
    model.get("rows").forEach((texts, row) =>
      body.insertRow().append(...texts.map((text, column) => cell(text, row, column))));
    box.replaceChildren(table);
    mark();
  };
  model.on("change:rows", draw);
  model.on("change:chosen", mark);
  draw();
}

export default { render };
