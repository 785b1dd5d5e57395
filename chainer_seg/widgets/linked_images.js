// Images side by side that show the same place: zoom and pan move all of them.

function render({ model, el }) {
  let bitmaps = [];
  const stage = new Stage(el, model.get("names").map((name) => [name, `${name}; zoom with + and -`]), {
    paint: (context, number) => bitmaps[number] && stage.drawImage(context, bitmaps[number]),
  });
  let loads = 0;
  const load = async () => {
    const turn = ++loads;
    const loaded = await Promise.all(model.get("images").map((data) =>
      createImageBitmap(new Blob([data], { type: "image/jpeg" }))));
    if (turn !== loads) return; // others have been loaded since
    bitmaps = loaded;
    stage.draw();
  };
  stage.resize(model.get("shown_size"));
  load();
  model.on("change:images", load);
  return () => model.off("change:images", load);
}

export default { render };
