"""The refinements of an object's probability, by name."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from chainer_seg.errors import UserError
from chainer_seg.models.deeplab.clicks import Click

# refine(image (H, W, 3) uint8, probability (H, W) float32, clicks) -> (H, W) float32
Refinement: TypeAlias = Callable[[np.ndarray, np.ndarray, Sequence[Click]], np.ndarray]

REFINEMENTS = ('graphcut', 'crf')


def find_refinement(refinement: str | Refinement | None) -> Refinement | None:
    """The function of a refinement.

    Args:
        refinement: A name of :data:`REFINEMENTS`, or None. A function is returned unchanged.

    Raises:
        chainer_seg.errors.UserError: The name is unknown, or PyMaxflow is not installed.
    """
    if refinement is None or callable(refinement):
        return refinement
    if refinement not in REFINEMENTS:
        raise UserError(f'Unknown refinement {refinement!r}; choose from '
                        f'{", ".join(REFINEMENTS)}, or None.')
    # SciPy, which both load, is not needed for the names.
    if refinement == 'graphcut':
        from chainer_seg.models.deeplab.graph_cut import graph_cut, import_maxflow
        import_maxflow()
        return graph_cut
    from chainer_seg.models.deeplab.dense_crf import dense_crf
    return dense_crf
