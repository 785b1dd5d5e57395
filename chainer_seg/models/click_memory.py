"""What a click session remembers and computes: its history, and the probability of each state in it."""

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainer_seg.errors import ClickError
from chainer_seg.models.click_history import History, Moment
from chainer_seg.models.click_state import ClickObject, ClickState
from chainer_seg.models.deeplab.clicks import Click, pixel_of
from chainer_seg.models.deeplab.refine import Refinement, find_refinement
from chainer_seg.models.deeplab.zoom_in import merge_changes


class ClickMemory(abc.ABC):
    """Base of :class:`~chainer_seg.models.click_session.ClickSession`, without what a user does.

    The session of a model finds the object, by :meth:`_find` and :meth:`_paste`.

    Args:
        image: (H, W, 3) uint8 RGB; copied.
        refinement: The first value of :attr:`refinement`.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        probability: (H, W) float32 for the clicks on the current object, refined if
            ``refinement`` is set.
        raw_probability: (H, W) float32, without refinement.
        threshold: Probability above which a pixel belongs to the object.
    """

    probability: np.ndarray
    raw_probability: np.ndarray

    def __init__(self, image: np.ndarray, refinement: str | Refinement | None = None) -> None:
        # A copy: the caller may draw on the array later.
        self.image = np.array(image)
        self.threshold = 0.5
        self._refine, self._refinement = find_refinement(refinement), refinement
        self._history = History(Moment())
        self.probability = self.raw_probability = self._probability(self._state)

    @abc.abstractmethod
    def _find(self, clicks: tuple[Click, ...], before: ClickState, previous: np.ndarray) -> Any:
        """Finds the object for the clicks.

        Args:
            clicks: All clicks on the object, the new ones last. One of them is positive, or
                ``before`` has a start.
            before: The state before the new clicks.
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
        return self._state.clicks

    @property
    def objects(self) -> tuple[ClickObject, ...]:
        """The finished objects."""
        return self._history.now.objects

    @property
    def moment(self) -> Moment:
        """The finished objects and the current one; another object after each change."""
        return self._history.now

    @property
    def _state(self) -> ClickState:
        return self._history.now.state

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
        self.probability = self._probability(self._state, refine)
        self._refine, self._refinement = refine, refinement

    def undo(self) -> np.ndarray:
        """Undoes the last change; returns the new probability."""
        return self._go_to(self._history.position(-1))

    def redo(self) -> np.ndarray:
        """Redoes what was undone last; returns the new probability."""
        return self._go_to(self._history.position(1))

    def _push(self, *states: ClickState, objects: tuple[ClickObject, ...] | None = None) -> np.ndarray:
        """Adds states of the current object, the last of which is now; returns the new probability."""
        if states:
            same = states[-1] is self._state
            found = (self.raw_probability, self.probability) if same else self._probabilities(states[-1])
            self._history.add([Moment(self.objects if objects is None else objects, state)
                               for state in states])
            self.raw_probability, self.probability = found
        return self.probability

    def _go_to(self, position: int) -> np.ndarray:
        moment = self._history.at(position)
        moment = dataclasses.replace(moment, state=self._state_at(position))
        found = self._probabilities(moment.state)
        self._history.go_to(position, moment)
        self.raw_probability, self.probability = found
        return self.probability

    def _state_at(self, position: int) -> ClickState:
        """The state at a moment, computed now if it was skipped."""
        state = self._history.at(position).state
        if not state.skipped:
            return state
        while position and self._history.at(position).state.skipped:
            position -= 1
        before = self._history.at(position).state
        if before.skipped:  # the history before it was dropped
            before = ClickState(start=state.start)
        return self._computed(state, before, self._probability(before))

    def _after(self, state: ClickState, click: Click) -> ClickState:
        """The state after one more click, without its result; the same state if the click repeats one."""
        there = [each for each in state.clicks if pixel_of(each) == pixel_of(click)]
        if any(each.positive == click.positive for each in there):
            return state
        return ClickState(tuple(each for each in state.clicks if each not in there) + (click,), state.start)

    def _computed(self, state: ClickState, before: ClickState, previous: np.ndarray) -> ClickState:
        """A state with its result, found from the state and the probability (H, W) before."""
        result = self._find(state.clicks, before, previous) if state.has_object else None
        return dataclasses.replace(state, result=result, skipped=False)

    def _probabilities(self, state: ClickState) -> tuple[np.ndarray, np.ndarray]:
        """The probability without and with refinement."""
        raw = self._probability(state)
        return raw, raw if self._refine is None else self._probability(state, self._refine)

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
            raise ClickError(f'The refinement returned {size_text(np.shape(refined))} pixels for an image of '
                             f'{size_text(probability.shape)}; it must return a probability for each pixel.')
        return refined


def size_text(shape: Sequence[int]) -> str:
    """A shape as text, such as 480x640."""
    return 'x'.join(map(str, shape)) or 'no'
