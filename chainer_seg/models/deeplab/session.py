"""Working on an image click by click and object by object, with undo and redo."""

import dataclasses
import functools

import numpy as np

from chainer_seg.errors import ClickError
from chainer_seg.instances import Instances
from chainer_seg.models.deeplab.clicks import check_clicks, pixel_of
from chainer_seg.models.deeplab.refine import find_refinement
from chainer_seg.models.deeplab.simulated_user import next_click
from chainer_seg.models.deeplab.zoom_in import merge_changes, window_iou, zoom_crop

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
    start: np.ndarray | None = None  # (H, W) bool, the mask that the object began with
    window: tuple | None = None  # (top, left, height, width) that the network looked at
    logits: np.ndarray | None = None  # (1, h, w) of that window

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

    def __init__(self, model, image, refinement=None, flip=None):
        # A copy: whoever goes on drawing in the array must not change what is clicked on.
        self.image = np.array(image)
        self.objects = ()
        self.threshold = 0.5
        self._model = model
        self._see = model.predict_logits
        if flip is not None:
            self._see = functools.partial(self._see, flip=flip)
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
        self.probability = self._probability(self._states[self._position], refine)
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
                raw = self._probability(after)
        if not states:
            return self.probability
        probability = raw if self._refine is None else self._probability(states[-1], self._refine)
        self._states = self._states[:self._position + 1] + states
        self._position = len(self._states) - 1
        self.raw_probability, self.probability = raw, probability
        return probability

    def undo(self) -> None:
        """Takes the last click, or the start from a mask, back; returns the new probability."""
        return self._go_to(max(self._position - 1, 0))

    def redo(self) -> None:
        """Does again what was taken back last; returns the new probability."""
        return self._go_to(min(self._position + 1, len(self._states) - 1))

    def reset(self) -> None:
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
            raise ClickError(f'A mask must be boolean or integer, got {mask.dtype}; '
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
            raise ClickError('There is no object to finish yet; click the object first.')
        self.objects += (ClickObject(name, mask, self.clicks, self._states[self._position]),)
        self._begin(_State())

    def reopen(self, number):
        """Makes a finished object the current one; the current one, if any, is finished first."""
        chosen = self._object(number)
        if self.mask.any():
            self.finish()
        self.remove(number)
        self._begin(chosen._state)

    def remove(self, number: int) -> None:
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
        raw = self._probability(state)
        self.probability = raw if self._refine is None else self._probability(state, self._refine)
        self.raw_probability, self._position = raw, position
        return self.probability

    def _after(self, state, click, previous):
        """The state after one more click; the same state where the click says nothing new."""
        there = [each for each in state.clicks if pixel_of(each) == pixel_of(click)]
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
        window = zoom_crop(found, clicks) if found.any() else whole
        logits = self._look_at(window, clicks, previous, side if window != whole else None)
        probability = self._paste(window, logits)
        found = probability > 0.5
        if not found.any() and not any(click.positive for click in clicks):
            return window, logits
        closer = zoom_crop(found, clicks)
        if window_iou(window, closer) > _SAME_WINDOW:
            return window, logits
        return closer, self._look_at(closer, clicks, probability, side)

    def _look_at(self, window, clicks, previous, side=None):
        top, left, height, width = window
        part = np.s_[top:top + height, left:left + width]
        inside = [dataclasses.replace(click, y=click.y - top, x=click.x - left)
                  for click in clicks]
        return self._see(self.image[part], inside, previous[part], side)

    def _probability(self, state, refine=None):
        """What is shown for a state: what the network found, refined, merged into the start."""
        if state.logits is None:
            if state.start is not None:
                return state.start.astype(np.float32)
            return np.zeros(self.image.shape[:2], np.float32)
        probability = self._paste(state.window, state.logits)
        if refine is not None:
            probability = self._refined(refine, probability, state.clicks)
        if state.start is not None:
            probability = merge_changes(state.start, probability, state.clicks)
        return probability

    def _refined(self, refine, probability, clicks):
        refined = refine(self.image, probability, clicks)
        if np.shape(refined) != probability.shape:
            raise ClickError(f'The refinement returned {_size(np.shape(refined))} pixels for an image '
                             f'of {_size(probability.shape)}; it must return a probability for each pixel.')
        return refined

    def _paste(self, window, logits):
        top, left, height, width = window
        result = np.zeros(self.image.shape[:2], np.float32)
        result[top:top + height, left:left + width] = self._model.decode(logits, (height, width))
        return result


def _size(shape):
    return 'x'.join(map(str, shape)) or 'no'
