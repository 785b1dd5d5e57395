// The view of a DetectionExplorer: filters objects by score and class, draws them, and describes the
// selected one.

const SELECTED = [255, 255, 255];

// The objects of the widget: mask, score, label, area and box (y_min, x_min, y_max, x_max) of each.
function readObjects(model) {
  const figures = numbers(model.get("figures_data"), Float64Array);
  const points = numbers(model.get("keypoints_data"), Float32Array);
  const masks = readMasks(model);
  const stride = masks.length ? points.length / masks.length : 0;
  return masks.map((mask, i) => {
    const [score, label, area, ...box] = figures.subarray(7 * i, 7 * i + 7);
    const own = points.subarray(stride * i, stride * (i + 1));
    return { ...mask, score, label, area, box,
      keypoints: Array.from({ length: stride / 3 }, (_, k) => own.subarray(3 * k, 3 * k + 3)) };
  });
}

function addChoice(controls, text, options, { get, set }) {
  const label = document.createElement("label");
  label.textContent = text;
  const select = document.createElement("select");
  select.setAttribute("aria-label", text);
  select.append(...options.map((option) => new Option(option, option)));
  select.addEventListener("change", () => set(select.value));
  controls.append(label, select, document.createElement("span"));
  return () => { select.value = get(); };
}

function addBox(row, text, { get, set }) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  input.type = "checkbox";
  input.setAttribute("aria-label", text);
  input.addEventListener("change", () => set(input.checked));
  label.append(input, ` ${text} `);
  row.append(label);
  return () => { input.checked = get(); };
}

function addRow(controls, text) {
  const label = document.createElement("span");
  label.textContent = text;
  const row = document.createElement("div");
  row.className = "chainer-seg-boxes";
  controls.append(label, row);
  return row;
}

function render({ model, el }) {
  const density = Math.min(window.devicePixelRatio || 1, 2);
  const { canvas, status, controls } = addFrame(el, "chainer-seg-explorer chainer-seg-detections",
    "Image with objects; click one for details, or go through them with the arrow keys");

  let objects = [];
  let rows = 1, columns = 1;
  let image = null;
  let loads = 0;
  let shown = [];

  function change(name, value) {
    model.set(name, value);
    model.save_changes();
  }
  const trait = (name) => ({ get: () => model.get(name), set: (value) => change(name, value) });

  const refreshers = [
    addSlider(controls, "Minimum score", {
      min: 0, max: 1, step: "any", show: (value) => value.toFixed(2), ...trait("score_threshold") }),
    addChoice(controls, "Draw", ["masks", "contours", "nothing"], trait("style")),
  ];
  const toggles = addRow(controls, "Show");
  for (const [text, name] of [["boxes", "boxes"], ["names", "names"], ["keypoints", "keypoints"]]) {
    refreshers.push(addBox(toggles, text, trait(name)));
  }
  const classes = addRow(controls, "Classes");

  function listClasses() {
    const counts = new Map();
    objects.forEach(({ label }) => counts.set(label, (counts.get(label) || 0) + 1));
    const refresh = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([label, count]) => (
      addBox(classes, `${nameOf(label)} (${count})`, {
        get: () => !model.get("hidden").includes(label),
        set: (on) => {
          const others = model.get("hidden").filter((each) => each !== label);
          change("hidden", on ? others : [...others, label]);
        } })));
    return () => refresh.forEach((each) => each());
  }
  let refreshClasses = () => {};

  function nameOf(label) {
    return model.get("class_names")[label] ?? `${label}`;
  }

  function load() {
    objects = readObjects(model);
    [rows, columns] = model.get("shown_size");
    canvas.width = Math.round(columns * density);
    canvas.height = Math.round(rows * density);
    canvas.style.width = `${columns}px`;
    classes.replaceChildren();
    toggles.lastChild.hidden = objects.every(({ keypoints }) => keypoints.length === 0);
    refreshClasses = listClasses();
    const turn = ++loads;
    image = null;
    createImageBitmap(new Blob([model.get("image_data")], { type: "image/jpeg" })).then((bitmap) => {
      if (turn !== loads) return; // another image has been loaded since
      image = bitmap;
      draw();
    });
    filter();
  }

  function filter() {
    const hidden = model.get("hidden");
    shown = objects.filter(({ score, label }) => (
      score >= model.get("score_threshold") && !hidden.includes(label)));
    // Small ones last, so that large ones do not hide them.
    shown.sort((a, b) => b.area - a.area);
    draw();
  }

  function selected() {
    return shown.find(({ number }) => number === model.get("selected")) || null;
  }

  // A box in image pixels as x, y, width and height on the canvas.
  function onCanvas([yMin, xMin, yMax, xMax]) {
    const [height, width] = model.get("image_size");
    const y = canvas.height / height, x = canvas.width / width;
    return [xMin * x, yMin * y, (xMax - xMin) * x, (yMax - yMin) * y];
  }

  function drawMask(context, each, style, opacity, edge) {
    const scale = [canvas.width / columns, canvas.height / rows];
    const place = [each.x * scale[0], each.y * scale[1],
      Math.max(each.width, 1) * scale[0], Math.max(each.height, 1) * scale[1]];
    if (style === "masks") {
      each.filled ??= paint(each, rows, each.color, false);
      context.globalAlpha = opacity;
      context.drawImage(each.filled, ...place);
      context.globalAlpha = 1;
    }
    if (style !== "nothing") context.drawImage(paint(each, rows, edge, true), ...place);
  }

  function drawKeypoints(context, each) {
    const places = each.keypoints.map(([y, x]) => onCanvas([y, x, y, x]));
    const known = (k) => each.keypoints[k] && each.keypoints[k][2] > 0;
    context.lineWidth = 2 * density;
    context.strokeStyle = context.fillStyle = `rgb(${each.color.join()})`;
    model.get("skeleton").filter(([a, b]) => known(a) && known(b)).forEach(([a, b]) => {
      context.beginPath();
      context.moveTo(places[a][0], places[a][1]);
      context.lineTo(places[b][0], places[b][1]);
      context.stroke();
    });
    places.filter((_, k) => known(k)).forEach(([x, y]) => {
      context.beginPath();
      context.arc(x, y, 3 * density, 0, 2 * Math.PI);
      context.fill();
    });
  }

  // Names that would cover one of those already placed move down.
  function drawName(context, each, placed) {
    const [x, y] = onCanvas(each.box);
    const score = model.get("with_scores") ? ` ${each.score.toFixed(2)}` : "";
    const text = `${nameOf(each.label)}${score}`;
    context.font = `${12 * density}px sans-serif`;
    const width = context.measureText(text).width + 6 * density;
    const left = Math.max(Math.min(x, canvas.width - width), 0);
    const step = 17 * density;
    const covers = (other) => Math.abs(other.top - top) < step && left < other.right && other.left < left + width;
    let top = Math.max(y - step, 0);
    while (placed.some(covers) && top + 2 * step < canvas.height) top += step;
    placed.push({ top, left, right: left + width });
    context.fillStyle = `rgb(${each.color.join()})`;
    context.fillRect(left, top, width, 16 * density);
    const [red, green, blue] = each.color;
    context.fillStyle = 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? "black" : "white";
    context.fillText(text, left + 3 * density, top + 12 * density);
  }

  function draw() {
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (image) context.drawImage(image, 0, 0, canvas.width, canvas.height);
    const style = model.get("style"), opacity = model.get("opacity"), one = selected();
    shown.forEach((each) => drawMask(context, each, style, opacity, each.color));
    context.lineWidth = 1.5 * density;
    if (model.get("boxes")) {
      shown.forEach((each) => {
        context.strokeStyle = `rgb(${each.color.join()})`;
        context.strokeRect(...onCanvas(each.box));
      });
    }
    if (model.get("keypoints")) shown.forEach((each) => drawKeypoints(context, each));
    const placed = [];
    if (model.get("names")) shown.forEach((each) => drawName(context, each, placed));
    if (one) {
      drawMask(context, one, "contours", 1, SELECTED);
      context.lineWidth = 2.5 * density;
      context.strokeStyle = `rgb(${SELECTED.join()})`;
      context.strokeRect(...onCanvas(one.box));
    }
    status.textContent = describe(one);
    refreshers.forEach((refresh) => refresh());
    refreshClasses();
  }

  function describe(one) {
    const count = `${shown.length} of ${objects.length} objects shown`;
    if (!one) return `${count}; click one for details.`;
    const [yMin, xMin, yMax, xMax] = one.box.map((value) => value.toFixed(1));
    return `Object ${one.number}: ${nameOf(one.label)}, score ${one.score.toFixed(3)}, ` +
      `box x ${xMin} to ${xMax}, y ${yMin} to ${yMax}, ${one.area} pixels.`;
  }

  // The smallest shown object at a point; if there is no mask, the smallest box.
  function find(event) {
    const frameBox = canvas.getBoundingClientRect();
    const across = (event.clientX - frameBox.left) / frameBox.width;
    const down = (event.clientY - frameBox.top) / frameBox.height;
    const x = Math.floor(across * columns), y = Math.floor(down * rows);
    const [height, width] = model.get("image_size");
    const smallestFirst = [...shown].reverse();
    return smallestFirst.find((each) => (
      x >= each.x && x < each.x + each.width && y >= each.y && y < each.y + each.height &&
      contains(each.ends, x * rows + y))) ||
      smallestFirst.find(({ box: [yMin, xMin, yMax, xMax] }) => (
        down * height >= yMin && down * height < yMax &&
        across * width >= xMin && across * width < xMax));
  }

  function choose(event) {
    const found = find(event);
    change("selected", found && found.number !== model.get("selected") ? found.number : -1);
  }

  function step(by) {
    const order = [...shown].sort((a, b) => a.number - b.number);
    if (order.length) change("selected", neighbour(order, selected(), by).number);
  }

  const FILTERS = "change:score_threshold change:hidden";
  const APPEARANCE = "change:style change:boxes change:names change:keypoints change:opacity change:selected";
  canvas.addEventListener("click", choose);
  onKeys(canvas, step);
  model.on("change:version", load);
  model.on(FILTERS, filter);
  model.on(APPEARANCE, draw);
  load();

  const endGuard = guardCell(el);
  return () => {
    endGuard();
    model.off("change:version", load);
    model.off(FILTERS, filter);
    model.off(APPEARANCE, draw);
  };
}

export default { render };
