// A row of thumbnails. Python makes each when it is scrolled into view for the first time.

function render({ model, el }) {
  const row = document.createElement("div");
  row.className = "chainer-seg-strip";
  row.setAttribute("role", "group");
  row.setAttribute("aria-label", "Images of the data set");
  el.append(row);
  const buttons = new Map(); // of images that have been in the row, by number

  const observer = new IntersectionObserver((entries) => entries.forEach(({ isIntersecting, target }) => {
    if (!isIntersecting) return;
    observer.unobserve(target);
    model.send({ kind: "want", number: Number(target.dataset.number) });
  }));

  function makeButton(number, title) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", title });
    button.dataset.number = number;
    button.append(`${number + 1}`);
    button.addEventListener("click", () => {
      model.set("chosen", number);
      model.save_changes();
    });
    return button;
  }

  // The chosen one is in the middle of the row.
  function mark() {
    const chosen = model.get("chosen");
    for (const [number, button] of buttons) {
      if (number === chosen) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
    const { offsetLeft = 0, offsetWidth = 0 } = buttons.get(chosen) ?? {};
    row.scrollLeft = offsetLeft + offsetWidth / 2 - row.clientWidth / 2;
  }

  function draw() {
    const focused = row.contains(document.activeElement) ? document.activeElement : null;
    const titles = model.get("titles");
    row.replaceChildren(...model.get("numbers").map((number, place) => {
      if (!buttons.has(number)) {
        buttons.set(number, makeButton(number, titles[place]));
        observer.observe(buttons.get(number));
      }
      return buttons.get(number);
    }));
    focused?.focus({ preventScroll: true });
    mark();
  }

  function receive({ kind, number }, [data] = []) {
    const button = buttons.get(number);
    if (kind !== "thumbnail" || !data?.byteLength || !button || button.querySelector("img")) return;
    const image = document.createElement("img");
    image.alt = "";
    image.src = URL.createObjectURL(new Blob([data], { type: "image/jpeg" }));
    image.addEventListener("load", () => URL.revokeObjectURL(image.src));
    button.prepend(image);
  }

  model.on("change:numbers", draw);
  model.on("change:chosen", mark);
  model.on("msg:custom", receive);
  draw();
  requestAnimationFrame(mark); // when the row has its width
  return () => {
    observer.disconnect();
    model.off("change:numbers", draw);
    model.off("change:chosen", mark);
    model.off("msg:custom", receive);
  };
}

export default { render };
