"""Working on an image click by click and object by object, with undo; shared by all click models."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from chainer_seg.errors import ClickError
from chainer_seg.instances import Instances
from chainer_seg.models.click_history import History, Moment
from chainer_seg.models.click_memory import ClickMemory, size_text
from chainer_seg.models.click_shapes import box_clicks, check_box, inside_box
from chainer_seg.models.click_state import ClickObject, ClickState, to_instances
from chainer_seg.models.deeplab.clicks import Click, check_clicks
from chainer_seg.models.deeplab.refine import Refinement, find_refinement

if TYPE_CHECKING:
    from chainer_seg.models.click_model import ClickModel


class ClickSession(ClickMemory):
    """The objects of one image: the current one, which is being clicked on, and the finished ones.

    Made by :meth:`chainer_seg.models.click_model.ClickModel.session`. Everything that changes the objects can
    be undone: clicks, strokes, boxes, finishing, deleting, renaming and resetting.

    Arguments and attributes are those of :class:`~chainer_seg.models.click_memory.ClickMemory`.
    """

    def add(self, *clicks: Click) -> np.ndarray:
        """Adds clicks one after the other and returns the new probability (H, W) float32.

        A repeated click is ignored; a click on the pixel of one of the other sign replaces it.

        Raises:
            chainer_seg.errors.ClickError: A click lies outside the image or is not a :class:`Click`;
                the session is unchanged.
        """
        check_clicks(clicks, self.image.shape[:2])
        states, raw = [self._state], self.raw_probability
        for click in clicks:
            after = self._after(states[-1], click)
            if after is not states[-1]:
                states.append(self._computed(after, states[-1], raw))
                raw = self._probability(states[-1])
        return self._push(*states[1:])

    def add_together(self, *clicks: Click) -> np.ndarray:
        """Adds clicks as :meth:`add` does, but computes the object only once, for all of them.

        Returns:
            (H, W) float32, the new probability.

        Raises:
            chainer_seg.errors.ClickError: As for :meth:`add`.
        """
        check_clicks(clicks, self.image.shape[:2])
        states = [self._state]
        for click in clicks:
            after = self._after(states[-1], click)
            if after is not states[-1]:
                states.append(dataclasses.replace(after, skipped=True))
        if len(states) > 1:
            states[-1] = self._computed(states[-1], states[0], self.raw_probability)
        return self._push(*states[1:])

    def preview(self, click: Click) -> np.ndarray:
        """The probability (H, W) float32 that a further click would give, without refinement.

        Raises:
            chainer_seg.errors.ClickError: The click lies outside the image.
        """
        check_clicks([click], self.image.shape[:2])
        after = self._after(self._state, click)
        if after is self._state:
            return self.raw_probability
        return self._probability(self._computed(after, self._state, self.raw_probability))

    def add_box(self, box: Sequence[float]) -> np.ndarray:
        """Starts the current object from a box around it; clicks and strokes then correct it.

        The model is asked with the clicks of :func:`chainer_seg.models.click_shapes.box_clicks`, five inside
        the box and negative ones outside its corners; what it finds, refined if :attr:`refinement` is set, is
        cut at the edges of the box.

        Args:
            box: (y_min, x_min, y_max, x_max) in pixels, clipped to the image.

        Returns:
            (H, W) float32, the new probability.

        Raises:
            chainer_seg.errors.ClickError: The box is outside the image, or no object was found in it; nothing
                is changed.
        """
        size = self.image.shape[0], self.image.shape[1]
        limited = check_box(box, size)
        asked = ClickState(box_clicks(limited, size))
        found = self._computed(asked, ClickState(), np.zeros(size, np.float32))
        mask = (self._probabilities(found)[1] > self.threshold) & inside_box(limited, size)
        if not mask.any():
            raise ClickError('No object was found in the box; click the object instead.')
        return self._push(ClickState(asked.clicks, mask))

    def paint(self, region: ArrayLike, positive: bool = True) -> np.ndarray:
        """Adds pixels to the current object or removes them, whatever the model finds there.

        Args:
            region: (H, W) bool.
            positive: Whether the pixels are added.

        Returns:
            (H, W) float32, the new probability.

        Raises:
            chainer_seg.errors.ClickError: The region differs in size from the image.
        """
        region = np.asarray(region, bool)
        self._check_size(region)
        mask = self.mask | region if positive else self.mask & ~region
        return self._push(ClickState(self.clicks, mask if mask.any() else None))

    def reset(self) -> np.ndarray:
        """Removes all clicks on the current object and returns its probability; finished objects stay."""
        return self._push(ClickState())

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
        self._check_size(mask)
        if mask.dtype.kind not in 'bui':
            raise ClickError(f'A mask must be boolean or integer, got {mask.dtype}; '
                             f'compare it with a threshold first, as in mask > 0.5.')
        return self._push(ClickState(start=mask != 0 if mask.any() else None))

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
        return self._push(ClickState(self.clicks, refined))

    def of_model(self, model: 'ClickModel') -> 'ClickSession':
        """A session of another model on the same image, with the same objects and clicks.

        Finished objects keep their masks; reopened, they start from them.
        """
        other, state = model.session(self.image), self._state
        other.refinement, other.threshold = self._refinement, self.threshold
        other.restore(Moment(tuple(ClickObject.of_mask(each.name, each.mask, each.clicks)
                                   for each in self.objects)))
        if state.start is not None:
            other.start_from(state.start)
        other.add(*state.clicks)
        return other

    def restore(self, moment: Moment) -> None:
        """Begins anew with these finished objects and this current one; that cannot be undone."""
        self._history = History(moment)
        self.raw_probability, self.probability = self._probabilities(moment.state)

    def replace(self, moment: Moment) -> None:
        """Replaces the finished objects and the current one."""
        self._push(moment.state, objects=moment.objects)

    def add_objects(self, objects: Iterable[ClickObject]) -> None:
        """Adds finished objects to the others; the current one stays."""
        self._push(self._state, objects=self.objects + tuple(objects))

    def finish(self, name: str = '') -> None:
        """Finishes the current object under a name and starts the next one.

        Raises:
            chainer_seg.errors.ClickError: There is no object yet.
        """
        if not self.mask.any():
            raise ClickError('There is no object to finish yet; click the object first.')
        self._push(ClickState(), objects=self.objects + (self._finished(name),))

    def reopen(self, number: int, name: str = '') -> None:
        """Makes a finished object current again; the current one, if any, is finished as ``name`` first."""
        chosen = self._object(number)
        objects = self.objects[:number] + self.objects[number + 1:]
        if self.mask.any():
            objects += (self._finished(name),)
        self._push(chosen._state, objects=objects)

    def remove(self, number: int) -> None:
        """Removes a finished object."""
        self._object(number)
        self._push(self._state, objects=self.objects[:number] + self.objects[number + 1:])

    def rename(self, number: int, name: str) -> None:
        """Renames a finished object."""
        renamed = dataclasses.replace(self._object(number), name=name)
        self._push(self._state, objects=self.objects[:number] + (renamed,) + self.objects[number + 1:])

    def instances(self) -> Instances:
        """The finished objects, as :func:`chainer_seg.models.click_state.to_instances` gives them."""
        return to_instances(self.objects, self.image.shape[:2])

    def _check_size(self, mask: np.ndarray) -> None:
        if mask.shape != self.image.shape[:2]:
            raise ClickError(f'The mask is {size_text(mask.shape)} pixels, but the image is '
                             f'{size_text(self.image.shape[:2])}; both must have the same size.')

    def _object(self, number: int) -> ClickObject:
        if not 0 <= number < len(self.objects):
            raise ClickError(f'There is no finished object {number}; there are '
                             f'{len(self.objects)}, counted from 0.')
        return self.objects[number]

    def _finished(self, name: str) -> ClickObject:
        return ClickObject(name, self.mask, self.clicks, self._state)
