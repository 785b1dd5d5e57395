"""The masks of an explorer as its JavaScript reads them from the binary traits."""

import numpy as np


def masks_in_browser(explorer):
    """Masks (R, h, w) bool and their boxes x, y, width, height (R, 4) in the image that is sent."""
    rows, columns = explorer.sent_size
    ends = np.frombuffer(explorer.ends_data, '<u4')
    places = np.frombuffer(explorer.places_data, '<u4').reshape(-1, 6)
    masks = np.zeros((len(places), columns * rows), bool)
    for mask, (start, length, *_) in zip(masks, places):
        runs = ends[start:start + length]
        for first, last in zip(runs[::2], runs[1::2]):
            mask[first:last] = True
    return masks.reshape(-1, columns, rows).transpose(0, 2, 1), places[:, 2:]
