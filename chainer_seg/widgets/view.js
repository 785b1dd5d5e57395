// Zoom and pan of an image in a frame. Points are [y, x] as fractions of the frame or of the image:
// 0 is the top or left edge, 1 the bottom or right edge.

const MAX_ZOOM = 40;

class View {
  constructor() {
    this.fit();
  }

  fit() {
    this.zoom = 1;
    this.top = 0;
    this.left = 0;
  }

  toImage([y, x]) {
    return [(y - this.top) / this.zoom, (x - this.left) / this.zoom];
  }

  toFrame([y, x]) {
    return [y * this.zoom + this.top, x * this.zoom + this.left];
  }

  // Zooms about a point of the frame: what is there stays there.
  zoomBy(factor, [y, x] = [0.5, 0.5]) {
    const [imageY, imageX] = this.toImage([y, x]);
    this.zoom = clamp(this.zoom * factor, 1, MAX_ZOOM);
    this.top = y - imageY * this.zoom;
    this.left = x - imageX * this.zoom;
    this.pan(0, 0);
  }

  // Moves the image; it always fills the frame.
  pan(down, right) {
    this.top = clamp(this.top + down, 1 - this.zoom, 0);
    this.left = clamp(this.left + right, 1 - this.zoom, 0);
  }
}

function clamp(value, min, max) {
  return Math.min(Math.max(value, min), max);
}
