// The controls of the mask explorers. Each function returns one that makes its control show the present value.

function addSlider(controls, text, { min, max, step, get, set, show }) {
  make("label", "", controls, text);
  const input = make("input", "", controls);
  Object.assign(input, { type: "range", min, max, step });
  input.setAttribute("aria-label", text);
  const output = make("output", "", controls);
  input.addEventListener("input", () => set(Number(input.value)));
  return () => {
    input.value = get();
    output.textContent = show(get());
  };
}

// ``options`` are [text, value].
function addChoice(controls, text, options, { get, set }) {
  const label = make("label", "", controls, text);
  const select = make("select", "", controls);
  select.setAttribute("aria-label", text);
  select.append(...options.map(([name, value]) => new Option(name, value)));
  select.addEventListener("change", () => set(select.value));
  const rest = make("span", "", controls);
  return (isShown = true) => {
    [label, select, rest].forEach((element) => { element.hidden = !isShown; });
    select.value = get();
  };
}

function addBox(row, text, { get, set }) {
  const label = make("label", "", row);
  const input = make("input", "", label);
  input.type = "checkbox";
  input.setAttribute("aria-label", text);
  input.addEventListener("change", () => set(input.checked));
  label.append(` ${text} `);
  return () => { input.checked = get(); };
}

function addRow(controls, text) {
  make("span", "", controls, text);
  return make("div", "chainer-seg-boxes", controls);
}
