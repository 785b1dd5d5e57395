"""Geometry written as its definition says, one box at a time, for comparison with vectorised code."""


def iou(a, b, offset=0):
    """Intersection over union of two boxes (y_min, x_min, y_max, x_max); 1 to count the maxima as pixels."""
    height = max(0, min(a[2], b[2]) - max(a[0], b[0]) + offset)
    width = max(0, min(a[3], b[3]) - max(a[1], b[1]) + offset)
    area_a, area_b = ((box[2] - box[0] + offset) * (box[3] - box[1] + offset) for box in (a, b))
    return height * width / (area_a + area_b - height * width)
