// The view of a ProposalExplorer: filters and draws proposals, and finds the one under the pointer.

function readProposals(model) {
  const figures = numbers(model.get("figures_data"), Float64Array);
  return readMasks(model).map((mask, i) => (
    { ...mask, score: figures[2 * i], size: figures[2 * i + 1] }));
}

function render({ model, el }) {
  const proposals = readProposals(model);
  const [rows, columns] = model.get("shown_size");
  const density = Math.min(window.devicePixelRatio || 1, 2);

  const { canvas, status, controls } = addFrame(el, "chainer-seg-explorer",
    "Image with proposals; click to pin the one under the pointer");
  canvas.width = Math.round(columns * density);
  canvas.height = Math.round(rows * density);
  canvas.style.width = `${columns}px`;

  let image = null;
  let outlines = null;
  let shown = [];
  let hovered = null;

  function change(name, value) {
    model.set(name, value);
    model.save_changes();
  }

  const scores = proposals.map(({ score }) => score);
  const longest = Math.max(...model.get("image_size"));
  const refreshers = [
    addSlider(controls, "Number of proposals", {
      min: 0, max: proposals.length, step: 1, show: (value) => `${Math.min(value, proposals.length)}`,
      get: () => model.get("count"), set: (value) => change("count", value) }),
    addSlider(controls, "Minimum score", {
      min: Math.min(0, ...scores), max: Math.max(1, ...scores), step: "any",
      show: (value) => value.toFixed(2),
      get: () => model.get("score_threshold"), set: (value) => change("score_threshold", value) }),
    ...["Minimum size", "Maximum size"].map((text, end) => addSlider(controls, text, {
      min: 0, max: longest, step: 1, show: (value) => `${Math.round(value)} px`,
      get: () => model.get("sizes")[end],
      set: (value) => {
        const [low, high] = model.get("sizes");
        change("sizes", end ? [Math.min(low, value), value] : [value, Math.max(high, value)]);
      } })),
  ];
  const choice = document.createElement("select");
  choice.setAttribute("aria-label", "Under the pointer");
  choice.append(new Option("smallest", "smallest"), new Option("highest score", "best"));
  choice.addEventListener("change", () => change("on_top", choice.value));
  const label = document.createElement("label");
  label.textContent = "Under the pointer";
  const release = document.createElement("button");
  release.type = "button";
  release.textContent = "Unpin all";
  release.addEventListener("click", () => change("pinned", []));
  controls.append(label, choice, release);

  function filter() {
    const [low, high] = model.get("sizes");
    const threshold = model.get("score_threshold");
    shown = proposals
      .filter(({ score, size }) => score >= threshold && size >= low && size <= high)
      .slice(0, Math.max(0, model.get("count")));
    outlines = new OffscreenCanvas(columns, rows);
    const context = outlines.getContext("2d");
    // Small ones last, so that large ones do not hide them.
    [...shown].sort((a, b) => b.size - a.size).forEach((each) => {
      context.drawImage(paint(each, rows, each.color, true), each.x, each.y);
    });
    if (hovered && !shown.includes(hovered)) hovered = null;
    refreshers.forEach((refresh) => refresh());
    choice.value = model.get("on_top");
    draw();
  }

  function drawProposal(context, proposal) {
    const scale = [canvas.width / columns, canvas.height / rows];
    const place = [proposal.x * scale[0], proposal.y * scale[1],
      Math.max(proposal.width, 1) * scale[0], Math.max(proposal.height, 1) * scale[1]];
    context.globalAlpha = model.get("opacity");
    context.drawImage(paint(proposal, rows, proposal.color, false), ...place);
    context.globalAlpha = 1;
    context.drawImage(paint(proposal, rows, [255, 255, 255], true), ...place);
    const text = `${proposal.number}: ${proposal.score.toFixed(2)}`;
    context.font = `${13 * density}px sans-serif`;
    const width = context.measureText(text).width + 8 * density;
    const left = Math.min(place[0], canvas.width - width);
    const top = Math.max(place[1] - 19 * density, 0);
    context.fillStyle = "rgba(0, 0, 0, 0.75)";
    context.fillRect(left, top, width, 18 * density);
    context.fillStyle = "white";
    context.fillText(text, left + 4 * density, top + 13.5 * density);
  }

  function draw() {
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = true;
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (image) context.drawImage(image, 0, 0, canvas.width, canvas.height);
    if (outlines) context.drawImage(outlines, 0, 0, canvas.width, canvas.height);
    model.get("pinned").forEach((number) => drawProposal(context, proposals[number]));
    if (hovered) drawProposal(context, hovered);
    status.textContent = describe();
  }

  function describe() {
    const count = `${shown.length} of ${proposals.length} proposals shown`;
    if (!hovered) return `${count}, ${model.get("pinned").length} pinned.`;
    return `${count}. Proposal ${hovered.number}: score ${hovered.score.toFixed(3)}, ` +
      `size ${Math.round(hovered.size)} px.`;
  }

  // The topmost shown or pinned proposal at a point of the displayed image.
  function find(x, y) {
    const pinned = model.get("pinned").map((number) => proposals[number]);
    const hits = [...new Set([...shown, ...pinned])].filter((each) => (
      x >= each.x && x < each.x + each.width && y >= each.y && y < each.y + each.height &&
      contains(each.ends, x * rows + y)));
    const smallest = model.get("on_top") === "smallest";
    return hits.reduce((best, each) => {
      const better = smallest ? !best || each.size < best.size : !best || each.number < best.number;
      return better ? each : best;
    }, null);
  }

  function point(event) {
    const box = canvas.getBoundingClientRect();
    const x = Math.floor(((event.clientX - box.left) / box.width) * columns);
    const y = Math.floor(((event.clientY - box.top) / box.height) * rows);
    const found = find(x, y);
    if (found === hovered) return;
    hovered = found;
    draw();
  }

  function leave() {
    hovered = null;
    draw();
  }

  function pin(event) {
    point(event);
    togglePin();
  }

  function togglePin() {
    if (!hovered) return;
    const { number } = hovered;
    const pinned = model.get("pinned");
    change("pinned", pinned.includes(number)
      ? pinned.filter((each) => each !== number) : [...pinned, number]);
  }

  canvas.addEventListener("pointermove", point);
  canvas.addEventListener("pointerleave", leave);
  canvas.addEventListener("click", pin);
  onKeys(canvas, (by) => {
    hovered = neighbour(shown, hovered, by) ?? null;
    draw();
  }, togglePin);
  model.on("change:count change:score_threshold change:sizes change:on_top", filter);
  model.on("change:pinned change:opacity", draw);

  filter();
  createImageBitmap(new Blob([model.get("image_data")], { type: "image/jpeg" })).then((bitmap) => {
    image = bitmap;
    draw();
  });

  const endGuard = guardCell(el);
  return () => {
    endGuard();
    model.off("change:count change:score_threshold change:sizes change:on_top", filter);
    model.off("change:pinned change:opacity", draw);
  };
}

export default { render };
