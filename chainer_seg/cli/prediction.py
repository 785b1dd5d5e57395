"""What the forms of ``chainer-seg predict`` share: the loop over the inputs, and what it says of bad ones."""

import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from chainer_seg.bad_images import BadImages
from chainer_seg.cli.dispatch import ModelCommand

if TYPE_CHECKING:
    from chainer_seg.jobs import Input


def predict_each(command: ModelCommand, model: Any, inputs: Sequence['Input'],
                 save: Callable[['Input'], object], *, strict: bool,
                 folders: Iterable[pathlib.Path] = ()) -> None:
    """Calls ``save`` for each input, as of :func:`chainer_seg.jobs.predict`, and lists the bad ones.

    Args:
        command: The options, on all of which the results depend.
        model: The model.
        inputs, save, folders: As of :func:`chainer_seg.jobs.predict`.
        strict: Stop at the first input that cannot be used.

    Raises:
        chainer_seg.errors.UserError: The only input, or the first bad one with ``strict``, cannot be used,
            or another run writes to a folder of results.
        chainer_seg.errors.ImageError: Some inputs could not be used.
    """
    from chainer_seg.jobs import predict
    from chainer_seg.jobs.fingerprints import fingerprint_of_model
    settings: dict[str, Any] = {}
    output = command.common
    if len(inputs) > 1:
        options = {name: value for name, value in vars(command).items() if name != 'common'}
        settings = {'model': fingerprint_of_model(model), 'seed': output.seed, 'options': repr(options)}
    bad = BadImages(strict or len(inputs) == 1)
    with bad.reported(len(inputs), 'have no results', output.verbose):
        predict(inputs, save, settings, folders=folders, on_error=bad, progress=not (
            output.quiet or len(inputs) < 2 or any(each.is_video for each in inputs)))
