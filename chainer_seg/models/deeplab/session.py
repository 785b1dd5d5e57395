"""Working on an image click by click and object by object, with undo and redo."""

import dataclasses
import math

import cv2
import numpy as np

from chainer_seg.errors import ClickError
from chainer_seg.instances import Instances
from chainer_seg.models.deeplab.clicks import check_clicks
from chainer_seg.models.deeplab.refine import find_refinement
from chainer_seg.models.deeplab.robot import next_click

# A window is so many times as large as the object in it, and at least this part of the image: a
# single click must not lead to a window of a few pixels.
ZOOM_MARGIN = 1.6
LEAST_ZOOM = 1 / 12
# Windows that overlap by less (intersection over union) show so different things that it pays to
# look again.
_SAME_WINDOW = 0.6

_NAMELESS = 'object'


@dataclasses.dataclass(frozen=True, eq=False)
class ClickObject:
    """A finished object.

    Attributes:
        name: What the user calls it; may be empty.
        mask: (H, W) bool.
        clicks: The clicks that found it, a tuple of :class:`Click`.
    """

    name: str
    mask: np.ndarray
    clicks: tuple
    _state: object = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, eq=False)
class _State:
    """What one click led to: enough to show it again, and small enough to keep for every click."""

    clicks: tuple = ()
    start: np.ndarray = None  # (H, W) bool, the mask that the object began with
    window: tuple = None  # (top, left, height, width) that the network looked at
    logits: np.ndarray = None  # (1, h, w) of that window

    @property
    def has_object(self):
        return self.start is not None or any(click.positive for click in self.clicks)


class ClickSession:
    """The objects of one image: one that is clicked on now, and those that are finished.

    Made by :meth:`ClickSegmenter.session`.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        objects: The finished objects, a tuple of :class:`ClickObject`.
        probability: (H, W) float32 for the clicks on the current object, refined if
            ``refinement`` is set.
        raw_probability: (H, W) float32, what the network says.
        threshold: Where the probability is higher, the object is.
    """

    def __init__(self, model, image, refinement=None):
        # A copy: whoever goes on drawing in the array must not change what is clicked on.
        self.image = np.array(image)
        self.objects = ()
        self.threshold = 0.5
        self._model = model
        self._refine, self._refinement = find_refinement(refinement), refinement
        self._begin(_State())

    @property
    def clicks(self):
        """The clicks on the current object that count now, a tuple of :class:`Click`."""
        return self._states[self._position].clicks

    @property
    def mask(self):
        """(H, W) bool: where the current object is."""
        return self.probability > self.threshold

    @property
    def refinement(self):
        """What sharpens the probability: None, ``'graphcut'``, ``'crf'`` or a callable.

        A callable takes the image, the probability (H, W) and the clicks, and returns another
        probability. Setting it computes the current probability anew.

        Raises:
            chainer_seg.errors.UserError: No refinement has that name, or its extra is missing.
        """
        return self._refinement

    @refinement.setter
    def refinement(self, refinement):
        refine = find_refinement(refinement)
        self.probability = self._refined(refine, self.clicks, self.raw_probability)
        self._refine, self._refinement = refine, refinement

    def add(self, *clicks):
        """Adds clicks one after the other and returns the new probability (H, W) float32.

        The same click twice counts once; a click on the pixel of one of the other sign takes its
        place.

        Raises:
            chainer_seg.errors.ClickError: A click lies outside the image or is none; nothing is
                changed.
        """
        check_clicks(clicks, self.image.shape[:2])
        states, raw = [], self.raw_probability
        for click in clicks:
            before = (states or [self._states[self._position]])[-1]
            after = self._after(before, click, raw)
            if after is not before:
                states.append(after)
                raw = self._probability_of(after)
        if not states:
            return self.probability
        probability = self._refined(self._refine, states[-1].clicks, raw)
        self._states = self._states[:self._position + 1] + states
        self._position = len(self._states) - 1
        self.raw_probability, self.probability = raw, probability
        return probability

    def undo(self):
        """Takes the last click, or the start from a mask, back; returns the new probability."""
        return self._go_to(max(self._position - 1, 0))

    def redo(self):
        """Does again what was taken back last; returns the new probability."""
        return self._go_to(min(self._position + 1, len(self._states) - 1))

    def reset(self):
        """Forgets all clicks on the current object; finished objects stay."""
        return self._begin(_State())

    def start_from(self, mask):
        """Begins the current object with an existing mask; clicks correct it where they are.

        A click changes only the wrong region that it lies in (progressive merge, arXiv 2204.02574,
        section 3.3), so that what was right stays.

        Args:
            mask: (H, W) bool, or an integer array that is not 0 on the object. Where it is 0
                everywhere, the object begins with nothing.

        Raises:
            chainer_seg.errors.ClickError: The mask is not as large as the image, or holds other
                numbers, such as probabilities.
        """
        mask = np.asarray(mask)
        size = self.image.shape[:2]
        if mask.shape != size:
            raise ClickError(f'The mask is {_size(mask.shape)} pixels, but the image is '
                             f'{_size(size)}; give a mask of the same size.')
        if mask.dtype.kind not in 'bui':
            raise ClickError(f'A mask holds True and False, or integers, but not {mask.dtype}; '
                             f'compare it with a threshold first, as in mask > 0.5.')
        start = mask != 0 if mask.any() else None
        self._states = self._states[:self._position + 1] + [_State(start=start)]
        return self._go_to(len(self._states) - 1)

    def finish(self, name=''):
        """Keeps the current object under a name and begins the next one.

        Raises:
            chainer_seg.errors.ClickError: There is no object yet.
        """
        mask = self.mask
        if not mask.any():
            raise ClickError('There is no object to finish yet; click on one first.')
        self.objects += (ClickObject(name, mask, self.clicks, self._states[self._position]),)
        self._begin(_State())

    def reopen(self, number):
        """Makes a finished object the current one; the current one, if any, is finished first."""
        chosen = self._object(number)
        if self.mask.any():
            self.finish()
        self.remove(number)
        self._begin(chosen._state)

    def remove(self, number):
        """Forgets a finished object."""
        self._object(number)
        self.objects = self.objects[:number] + self.objects[number + 1:]

    def rename(self, number, name):
        """Gives a finished object another name."""
        renamed = dataclasses.replace(self._object(number), name=name)
        self.objects = self.objects[:number] + (renamed,) + self.objects[number + 1:]

    def instances(self):
        """The finished objects as :class:`chainer_seg.Instances`.

        Classes are the distinct names in the order of their first use; 'object' for no name.
        """
        if not self.objects:
            return Instances.empty(*self.image.shape[:2])
        names = [each.name or _NAMELESS for each in self.objects]
        classes = tuple(dict.fromkeys(names))
        return Instances(np.stack([each.mask for each in self.objects]),
                         labels=[classes.index(name) for name in names], class_names=classes)

    def _object(self, number):
        if not 0 <= number < len(self.objects):
            raise ClickError(f'There is no finished object {number}; there are '
                             f'{len(self.objects)}, counted from 0.')
        return self.objects[number]

    def _begin(self, state):
        self._states, self._position = [state], 0
        return self._go_to(0)

    def _go_to(self, position):
        state = self._states[position]
        raw = self._probability_of(state)
        self.probability = self._refined(self._refine, state.clicks, raw)
        self.raw_probability, self._position = raw, position
        return self.probability

    def _refined(self, refine, clicks, probability):
        if refine is None or not (probability > 0).any():
            return probability
        return refine(self.image, probability, clicks)

    def _after(self, state, click, previous):
        """The state after one more click; the same state where the click says nothing new."""
        there = [each for each in state.clicks if _pixel(each) == _pixel(click)]
        if any(each.positive == click.positive for each in there):
            return state
        clicks = tuple(each for each in state.clicks if each not in there) + (click,)
        new = _State(clicks, state.start)
        if not new.has_object:
            return new
        if not self._model.mask_input and state.start is not None:
            # The network cannot see the mask: a click in its middle stands for it.
            clicks += (next_click(np.zeros_like(state.start), state.start),)
        window, logits = self._look(clicks, previous)
        return dataclasses.replace(new, window=window, logits=logits)

    def _look(self, clicks, previous):
        """Looks at the object, and once more if it turns out to lie elsewhere."""
        whole = (0, 0, *self.image.shape[:2])
        side = self._model.zoom_side
        if side is None:
            return whole, self._look_at(whole, clicks, previous)
        found = previous > 0.5
        window = zoom_window(found, clicks) if found.any() else whole
        logits = self._look_at(window, clicks, previous, side if window != whole else None)
        probability = self._paste(window, logits)
        found = probability > 0.5
        if not found.any() and not any(click.positive for click in clicks):
            return window, logits
        closer = zoom_window(found, clicks)
        if _window_iou(window, closer) > _SAME_WINDOW:
            return window, logits
        return closer, self._look_at(closer, clicks, probability, side)

    def _look_at(self, window, clicks, previous, side=None):
        top, left, height, width = window
        part = np.s_[top:top + height, left:left + width]
        inside = [dataclasses.replace(click, y=click.y - top, x=click.x - left)
                  for click in clicks]
        return self._model.look(self.image[part], inside, previous[part], side)

    def _probability_of(self, state):
        if state.logits is None:
            if state.start is not None:
                return state.start.astype(np.float32)
            return np.zeros(self.image.shape[:2], np.float32)
        probability = self._paste(state.window, state.logits)
        if state.start is None:
            return probability
        return merge_changes(state.start, probability, state.clicks)

    def _paste(self, window, logits):
        top, left, height, width = window
        result = np.zeros(self.image.shape[:2], np.float32)
        result[top:top + height, left:left + width] = self._model.decode(logits, (height, width))
        return result


def zoom_window(mask, clicks):
    """Where to look closer: a square around the object, as far as the image reaches.

    Args:
        mask: (H, W) bool, what was found so far.
        clicks: Clicks in pixels of the mask; the positive ones belong to the object. Where nothing
            was found, there must be one.

    Returns:
        (top, left, height, width) in whole pixels, inside the image.
    """
    size = np.array(mask.shape)
    points = [(click.y, click.x) for click in clicks if click.positive]
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows):
        points += [(rows[0], columns[0]), (rows[-1] + 1, columns[-1] + 1)]
    first, last = np.min(points, axis=0), np.max(points, axis=0)
    side = ZOOM_MARGIN * max(*(last - first), LEAST_ZOOM * size.max())
    window = np.clip(np.round(side), 1, size).astype(int)
    corner = np.clip(np.round((first + last - window) / 2), 0, size - window).astype(int)
    return (*corner.tolist(), *window.tolist())


def merge_changes(start, probability, clicks):
    """Changes a mask only in those regions where a click asks for it.

    Args:
        start: (H, W) bool, the mask.
        probability: (H, W) float32, what was found; where it crosses 0.5 it differs from ``start``.
        clicks: The clicks, in pixels.

    Returns:
        (H, W) float32: ``probability`` in each connected region of difference that a click of its
        sign lies in, and ``start`` as 0 and 1 elsewhere.
    """
    found = probability > 0.5
    asked = np.zeros_like(start)
    for wanted in (True, False):
        difference = (found & ~start) if wanted else (start & ~found)
        _, regions = cv2.connectedComponents(difference.astype(np.uint8), connectivity=4)
        numbers = {int(regions[_pixel(click)]) for click in clicks if click.positive == wanted}
        asked |= np.isin(regions, sorted(numbers - {0}))
    return np.where(asked, probability, start.astype(np.float32))


def _window_iou(a, b):
    shared = 1.0
    for axis in (0, 1):
        low, high = max(a[axis], b[axis]), min(a[axis] + a[axis + 2], b[axis] + b[axis + 2])
        shared *= max(0, high - low)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def _pixel(click):
    # The rim of the image, half a pixel outside the centres, belongs to the outermost pixels.
    return max(0, math.ceil(click.y - 0.5)), max(0, math.ceil(click.x - 0.5))


def _size(shape):
    return 'x'.join(map(str, shape)) or 'no'
