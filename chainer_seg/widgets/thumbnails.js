// Small images to choose from.

function render({ model, el }) {
  el.classList.add("chainer-seg-thumbnails");
  let addresses = [];
  const mark = () => [...el.children].forEach((button, number) =>
    button.setAttribute("aria-pressed", String(number === model.get("chosen"))));
  const draw = () => {
    addresses.forEach((address) => URL.revokeObjectURL(address));
    addresses = model.get("images").map((data) => URL.createObjectURL(new Blob([data], { type: "image/jpeg" })));
    el.replaceChildren(...addresses.map((address, number) => {
      const button = document.createElement("button");
      const image = document.createElement("img");
      image.src = address;
      image.alt = "";
      button.title = model.get("titles")[number];
      button.setAttribute("aria-label", button.title);
      button.append(image);
      button.addEventListener("click", () => {
        model.set("chosen", number);
        model.save_changes();
      });
      return button;
    }));
    mark();
  };
  model.on("change:images", draw);
  model.on("change:chosen", mark);
  draw();
  return () => addresses.forEach((address) => URL.revokeObjectURL(address));
}

export default { render };
