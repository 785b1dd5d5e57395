// The view of a ProposalExplorer: filters and draws proposals, and finds the one under the pointer.

const WHITE = [255, 255, 255];

function readProposals(model) {
  const figures = numbers(model.get("figures_data"), Float64Array);
  return readMasks(model).map((mask, i) => (
    { ...mask, score: figures[2 * i], size: figures[2 * i + 1] }));
}

class ProposalView extends Explorer {
  constructor(model, el) {
    super(model, el, "", [["", "Image with proposals; click to pin the one under the pointer, or go through " +
      "them with the arrow keys and pin with Enter; zoom with + and -"]]);
    this.proposals = readProposals(model);
    this.outlines = null; // of all proposals that are shown, at the size of the image that was sent
    this.shown = [];
    this.hovered = null;
    this.refreshers = [...this.addSliders(), addChoice(this.controls, "Under the pointer", [
      ["smallest", "smallest"], ["highest score", "best"]], this.trait("on_top"))];
    const release = make("button", "", this.controls, "Unpin all");
    release.type = "button";
    release.addEventListener("click", () => this.change("pinned", []));
    this.loadImage();
    this.filter();
  }

  addSliders() {
    const { model, proposals } = this;
    const scores = proposals.map(({ score }) => score);
    const sizes = ["Minimum size", "Maximum size"].map((text, end) => addSlider(this.controls, text, {
      min: 0, max: Math.max(...model.get("image_size")), step: 1,
      show: (value) => `${Math.round(value)} px`, get: () => model.get("sizes")[end],
      set: (value) => {
        const [low, high] = model.get("sizes");
        this.change("sizes", end ? [Math.min(low, value), value] : [value, Math.max(high, value)]);
      } }));
    return [
      addSlider(this.controls, "Number of proposals", {
        min: 0, max: proposals.length, step: 1,
        show: (value) => `${Math.min(value, proposals.length)}`, ...this.trait("count") }),
      addSlider(this.controls, "Minimum score", {
        min: Math.min(0, ...scores), max: Math.max(1, ...scores), step: "any",
        show: (value) => value.toFixed(2), ...this.trait("score_threshold") }),
      ...sizes,
    ];
  }

  filter() {
    const { model } = this;
    const [low, high] = model.get("sizes");
    const threshold = model.get("score_threshold");
    this.shown = this.proposals
      .filter(({ score, size }) => score >= threshold && size >= low && size <= high)
      .slice(0, Math.max(0, model.get("count")));
    this.outlines = new OffscreenCanvas(this.columns, this.rows);
    const context = this.outlines.getContext("2d");
    // Small ones last, so that large ones do not hide them.
    [...this.shown].sort((a, b) => b.size - a.size).forEach((each) => {
      context.drawImage(paint(each, this.rows, each.color, true), each.x, each.y);
    });
    if (this.hovered && !this.shown.includes(this.hovered)) this.hovered = null;
    this.refreshers.forEach((refresh) => refresh());
    this.draw();
  }

  draw() {
    this.status.textContent = this.describe();
    this.stage.draw();
  }

  paint(context) {
    this.stage.drawImage(context, this.image);
    this.stage.drawImage(context, this.outlines);
    this.model.get("pinned").forEach((number) => this.drawProposal(context, this.proposals[number]));
    if (this.hovered) this.drawProposal(context, this.hovered);
  }

  drawProposal(context, proposal) {
    this.drawFilled(context, proposal, this.model.get("opacity"));
    this.drawEdge(context, proposal, WHITE);
    const { density } = this.stage;
    const [x, y] = this.stage.place([proposal.y / this.rows, proposal.x / this.columns, 0, 0]);
    const text = `${proposal.number}: ${proposal.score.toFixed(2)}`;
    context.font = `${13 * density}px sans-serif`;
    const width = context.measureText(text).width + 8 * density;
    const left = clamp(x, 0, context.canvas.width - width);
    const top = clamp(y - 19 * density, 0, context.canvas.height - 18 * density);
    context.fillStyle = "rgba(0, 0, 0, 0.75)";
    context.fillRect(left, top, width, 18 * density);
    context.fillStyle = "white";
    context.fillText(text, left + 4 * density, top + 13.5 * density);
  }

  describe() {
    const { hovered } = this;
    const count = `${this.shown.length} of ${this.proposals.length} proposals shown`;
    if (!hovered) return `${count}, ${this.model.get("pinned").length} pinned.`;
    return `${count}. Proposal ${hovered.number}: score ${hovered.score.toFixed(3)}, ` +
      `size ${Math.round(hovered.size)} px.`;
  }

  // The shown or pinned proposal at a place: the smallest, or the one with the highest score.
  find(place) {
    const smallest = this.model.get("on_top") === "smallest";
    const pinned = this.model.get("pinned").map((number) => this.proposals[number]);
    const hits = [...new Set([...this.shown, ...pinned])].filter((each) => this.covers(each, place));
    return hits.reduce((best, each) => {
      const better = smallest ? !best || each.size < best.size : !best || each.number < best.number;
      return better ? each : best;
    }, null);
  }

  hover(place) {
    const found = place && this.find(place);
    if (found === this.hovered) return;
    this.hovered = found;
    this.draw();
  }

  click(place) {
    this.hover(place);
    this.press();
  }

  press() {
    if (!this.hovered) return;
    const { number } = this.hovered;
    const pinned = this.model.get("pinned");
    this.change("pinned", pinned.includes(number)
      ? pinned.filter((each) => each !== number) : [...pinned, number]);
  }

  step(by) {
    this.hovered = neighbour(this.shown, this.hovered, by) ?? null;
    if (this.hovered) this.reveal(this.hovered);
    this.draw();
  }
}

function render({ model, el }) {
  const view = new ProposalView(model, el);
  return follow(model, el, {
    "change:count change:score_threshold change:sizes change:on_top": () => view.filter(),
    "change:pinned change:opacity": () => view.draw(),
  });
}

export default { render };
