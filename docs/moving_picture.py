"""Makes docs/clicking.webp, a session of the click widget, for README.md: python docs/moving_picture.py"""

import pathlib

import cv2
import numpy as np
from PIL import Image
from skimage import data

from chainer_seg.images import resize
from chainer_seg.models.deeplab import Click
from chainer_seg.widgets import ClickSegmenter

OUT = pathlib.Path(__file__).with_name('clicking.webp')
SCALE = 2  # of the photograph, so that the outlines can be seen
STEP, PAUSE, END = 60, 700, 2500  # milliseconds of a frame: while the pointer moves, after a click, at last
MOVES = 6  # frames from one click to the next
POINTER = np.array([(0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (12, 12)])
# What is clicked, object by object, (y, x) in the photograph; a False click removes.
OBJECTS = [[(185, 330, True)], [(120, 270, True)], [(45, 335, True)], [(185, 210, True)], [(255, 45, True)]]


def session() -> tuple[list[np.ndarray], list[int]]:
    """The frames of the session, (h, w, 3) uint8, and how long each is shown."""
    photograph = data.coins()[:288]
    height, width = photograph.shape
    segmenter = ClickSegmenter({'coins': resize(photograph, (height * SCALE, width * SCALE))},
                               longest_side=width * SCALE, autosave=False)
    frames, durations = [], []
    place = np.array([height / 2, width / 2]) * SCALE
    for clicks in OBJECTS:
        for y, x, positive in clicks:
            target = (np.array([y, x]) + 0.5) * SCALE
            before = segmenter.snapshot()
            for move in np.linspace(0, 1, MOVES):
                frames.append(with_pointer(before, place + (target - place) * move))
                durations.append(STEP)
            segmenter.add(Click(target[0], target[1], positive))
            frames.append(with_pointer(segmenter.snapshot(), target))
            durations.append(PAUSE)
            place = target
        segmenter.finish()
    frames.append(segmenter.snapshot())
    return frames, [*durations, END]


def with_pointer(image: np.ndarray, place: np.ndarray) -> np.ndarray:
    """A copy of an image with the pointer of the mouse at ``place`` (y, x)."""
    outline = (POINTER + place[::-1]).round().astype(np.int32)
    drawn = cv2.fillPoly(image.copy(), [outline], (255, 255, 255), cv2.LINE_AA)
    return cv2.polylines(drawn, [outline], True, (0, 0, 0), 1, cv2.LINE_AA)


def main() -> None:
    """Writes the animation."""
    frames, durations = session()
    first, *others = map(Image.fromarray, frames)
    first.save(OUT, save_all=True, append_images=others, duration=durations, loop=0, quality=60, method=6)


if __name__ == '__main__':
    main()
