"""Working on an image click by click and object by object, with undo and redo; shared by all click models."""

import abc
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from chainer_seg.errors import ClickError
from chainer_seg.instances import Instances
from chainer_seg.models.click_state import ClickObject, ClickState
from chainer_seg.models.deeplab.clicks import Click, check_clicks, pixel_of
from chainer_seg.models.deeplab.refine import Refinement, find_refinement
from chainer_seg.models.deeplab.simulated_user import next_click
from chainer_seg.models.deeplab.zoom_in import merge_changes

if TYPE_CHECKING:
    from chainer_seg.models.click_model import ClickModel

_NAMELESS = 'object'


class ClickSession(abc.ABC):
    """The objects of one image: the current one, which is being clicked on, and the finished ones.

    Made by :meth:`chainer_seg.models.click_model.ClickModel.session`. A subclass finds the object, by
    :meth:`_find` and :meth:`_paste`.

    Args:
        image: (H, W, 3) uint8 RGB; copied.
        refinement: The first value of :attr:`refinement`.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        objects: The finished objects.
        probability: (H, W) float32 for the clicks on the current object, refined if
            ``refinement`` is set.
        raw_probability: (H, W) float32, without refinement.
        threshold: Probability above which a pixel belongs to the object.
    """

    objects: tuple[ClickObject, ...]
    probability: np.ndarray
    raw_probability: np.ndarray
    _states: list[ClickState]
    _position: int

    def __init__(self, image: np.ndarray, refinement: str | Refinement | None = None) -> None:
        # A copy: the caller may draw on the array later.
        self.image = np.array(image)
        self.objects = ()
        self.threshold = 0.5
        self._refine, self._refinement = find_refinement(refinement), refinement
        self._begin(ClickState())

    @abc.abstractmethod
    def _find(self, clicks: tuple[Click, ...], before: ClickState, previous: np.ndarray) -> Any:
        """Finds the object for the clicks.

        Args:
            clicks: All clicks on the object, the last one being new. One of them is positive, or
                ``before`` has a start.
            before: The state before the last click.
            previous: (H, W) float32, the probability then, without refinement.

        Returns:
            What is kept as :attr:`ClickState.result`.
        """

    @abc.abstractmethod
    def _paste(self, result: Any) -> np.ndarray:
        """The probability (H, W) float32 of what :meth:`_find` returned."""

    @property
    def clicks(self) -> tuple[Click, ...]:
        """The clicks on the current object, without those that were undone."""
        return self._states[self._position].clicks

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool, the current object."""
        return self.probability > self.threshold

    @property
    def refinement(self) -> str | Refinement | None:
        """What refines the probability: None, ``'graphcut'``, ``'crf'`` or a function.

        Setting it recomputes the probability of the current object.

        Raises:
            chainer_seg.errors.UserError: The name is unknown, or PyMaxflow is not installed.
        """
        return self._refinement

    @refinement.setter
    def refinement(self, refinement: str | Refinement | None) -> None:
        refine = find_refinement(refinement)
        self.probability = self._probability(self._states[self._position], refine)
        self._refine, self._refinement = refine, refinement

    def add(self, *clicks: Click) -> np.ndarray:
        """Adds clicks one after the other and returns the new probability (H, W) float32.

        A repeated click is ignored; a click on the pixel of one of the other sign replaces it.

        Raises:
            chainer_seg.errors.ClickError: A click lies outside the image or is not a :class:`Click`;
                the session is unchanged.
        """
        check_clicks(clicks, self.image.shape[:2])
        states: list[ClickState] = []
        raw = self.raw_probability
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

    def undo(self) -> np.ndarray:
        """Undoes the last click or the start from a mask; returns the new probability."""
        return self._go_to(max(self._position - 1, 0))

    def redo(self) -> np.ndarray:
        """Redoes what was undone last; returns the new probability."""
        return self._go_to(min(self._position + 1, len(self._states) - 1))

    def reset(self) -> np.ndarray:
        """Removes all clicks on the current object and returns its probability; finished objects stay."""
        return self._begin(ClickState())

    def start_from(self, mask: ArrayLike) -> np.ndarray:
        """Starts the current object from an existing mask, which clicks then correct.

        A click changes only the wrong region that it lies in (progressive merge, arXiv 2204.02574,
        section 3.3); correct parts of the mask are kept.

        Args:
            mask: (H, W) bool, or integers that are not 0 on the object. If it is 0 everywhere, the
                object starts empty.

        Returns:
            (H, W) float32, the new probability.

        Raises:
            chainer_seg.errors.ClickError: The mask differs in size from the image, or is neither boolean
                nor integer, such as probabilities.
        """
        mask = np.asarray(mask)
        size = self.image.shape[:2]
        if mask.shape != size:
            raise ClickError(f'The mask is {_size(mask.shape)} pixels, but the image is '
                             f'{_size(size)}; both must have the same size.')
        if mask.dtype.kind not in 'bui':
            raise ClickError(f'A mask must be boolean or integer, got {mask.dtype}; '
                             f'compare it with a threshold first, as in mask > 0.5.')
        start = mask != 0 if mask.any() else None
        self._states = self._states[:self._position + 1] + [ClickState(start=start)]
        return self._go_to(len(self._states) - 1)

    def refine(self, refinement: str | Refinement = 'graphcut') -> np.ndarray:
        """Refines the current object once, whatever :attr:`refinement` is; returns the new probability.

        The refined mask is what the object starts from then: further clicks change it where they are,
        and :meth:`undo` brings back the mask before.

        Raises:
            chainer_seg.errors.ClickError: There is no object yet.
            chainer_seg.errors.UserError: The name is unknown, or PyMaxflow is not installed.
        """
        refine = find_refinement(refinement)
        if refine is None or not self.mask.any():
            raise ClickError('There is no object to refine yet; click the object first.')
        refined = self._refined(refine, self.raw_probability, self.clicks) > self.threshold
        if not refined.any():
            raise ClickError('The refinement leaves nothing of the object; add a click on it.')
        state = ClickState(self.clicks, refined)
        self._states = self._states[:self._position + 1] + [state]
        return self._go_to(len(self._states) - 1)

    def of_model(self, model: 'ClickModel') -> 'ClickSession':
        """A session of another model on the same image, with the same objects and clicks.

        Finished objects keep their masks; reopened, they start from them.
        """
        other, state = model.session(self.image), self._states[self._position]
        other.refinement, other.threshold = self._refinement, self.threshold
        other.objects = tuple(dataclasses.replace(each, _state=ClickState(start=each.mask))
                              for each in self.objects)
        if state.start is not None:
            other.start_from(state.start)
        other.add(*state.clicks)
        return other

    def finish(self, name: str = '') -> None:
        """Finishes the current object under a name and starts the next one.

        Raises:
            chainer_seg.errors.ClickError: There is no object yet.
        """
        mask = self.mask
        if not mask.any():
            raise ClickError('There is no object to finish yet; click the object first.')
        self.objects += (ClickObject(name, mask, self.clicks, self._states[self._position]),)
        self._begin(ClickState())

    def reopen(self, number: int) -> None:
        """Makes a finished object current again; the current object, if any, is finished first."""
        chosen = self._object(number)
        if self.mask.any():
            self.finish()
        self.remove(number)
        self._begin(chosen._state)

    def remove(self, number: int) -> None:
        """Removes a finished object."""
        self._object(number)
        self.objects = self.objects[:number] + self.objects[number + 1:]

    def rename(self, number: int, name: str) -> None:
        """Renames a finished object."""
        renamed = dataclasses.replace(self._object(number), name=name)
        self.objects = self.objects[:number] + (renamed,) + self.objects[number + 1:]

    def instances(self) -> Instances:
        """The finished objects as :class:`chainer_seg.Instances`.

        Classes are the distinct names in the order of their first use; objects without a name are
        of the class 'object'.
        """
        if not self.objects:
            return Instances.empty(*self.image.shape[:2])
        names = [each.name or _NAMELESS for each in self.objects]
        classes = tuple(dict.fromkeys(names))
        return Instances(np.stack([each.mask for each in self.objects]),
                         labels=[classes.index(name) for name in names], class_names=classes)

    def _object(self, number: int) -> ClickObject:
        if not 0 <= number < len(self.objects):
            raise ClickError(f'There is no finished object {number}; there are '
                             f'{len(self.objects)}, counted from 0.')
        return self.objects[number]

    def _begin(self, state: ClickState) -> np.ndarray:
        self._states, self._position = [state], 0
        return self._go_to(0)

    def _go_to(self, position: int) -> np.ndarray:
        state = self._states[position]
        raw = self._probability(state)
        self.probability = raw if self._refine is None else self._probability(state, self._refine)
        self.raw_probability, self._position = raw, position
        return self.probability

    def _after(self, state: ClickState, click: Click, previous: np.ndarray) -> ClickState:
        """The state after one more click; the same state if the click repeats one."""
        there = [each for each in state.clicks if pixel_of(each) == pixel_of(click)]
        if any(each.positive == click.positive for each in there):
            return state
        clicks = tuple(each for each in state.clicks if each not in there) + (click,)
        new = ClickState(clicks, state.start)
        if not new.has_object:
            return new
        return dataclasses.replace(new, result=self._find(clicks, state, previous))

    def _probability(self, state: ClickState, refine: Refinement | None = None) -> np.ndarray:
        """The probability of a state: that of the clicks, refined, and merged into the start."""
        if state.result is None:
            if state.start is not None:
                return state.start.astype(np.float32)
            return np.zeros(self.image.shape[:2], np.float32)
        probability = self._paste(state.result)
        if refine is not None:
            probability = self._refined(refine, probability, state.clicks)
        if state.start is not None:
            probability = merge_changes(state.start, probability, state.clicks)
        return probability

    def _refined(self, refine: Refinement, probability: np.ndarray, clicks: Sequence[Click]) -> np.ndarray:
        refined = refine(self.image, probability, clicks)
        if np.shape(refined) != probability.shape:
            raise ClickError(f'The refinement returned {_size(np.shape(refined))} pixels for an image '
                             f'of {_size(probability.shape)}; it must return a probability for each pixel.')
        return refined


def clicks_with_start(clicks: tuple[Click, ...], start: np.ndarray | None) -> tuple[Click, ...]:
    """Clicks for a network that cannot see the mask (H, W) bool that the object started from, if any.

    A click in the middle of the mask, the last one, stands for it.
    """
    middle = None if start is None else next_click(np.zeros_like(start), start)
    return clicks if middle is None else (*clicks, middle)


def _size(shape: Sequence[int]) -> str:
    return 'x'.join(map(str, shape)) or 'no'
