// Zoom and pan of a picture in a frame. Places are [y, x] in shares of the frame or of the picture:
// 0 is the top or left edge, 1 the bottom or right one.

const MOST_ZOOM = 40;

class View {
  constructor() {
    this.fit();
  }

  fit() {
    this.zoom = 1;
    this.top = 0;
    this.left = 0;
  }

  toPicture([y, x]) {
    return [(y - this.top) / this.zoom, (x - this.left) / this.zoom];
  }

  toFrame([y, x]) {
    return [y * this.zoom + this.top, x * this.zoom + this.left];
  }

  // Zooms so that what lies at a place of the frame stays there.
  zoomBy(factor, [y, x] = [0.5, 0.5]) {
    const [pictureY, pictureX] = this.toPicture([y, x]);
    this.zoom = clamp(this.zoom * factor, 1, MOST_ZOOM);
    this.top = y - pictureY * this.zoom;
    this.left = x - pictureX * this.zoom;
    this.pan(0, 0);
  }

  // The picture always fills the frame.
  pan(down, right) {
    this.top = clamp(this.top + down, 1 - this.zoom, 0);
    this.left = clamp(this.left + right, 1 - this.zoom, 0);
  }
}

function clamp(value, least, most) {
  return Math.min(Math.max(value, least), most);
}
