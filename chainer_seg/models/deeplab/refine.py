"""Sharpening what the network found: the refinements by name."""

from chainer_seg.errors import UserError
from chainer_seg.models.deeplab.dense_crf import dense_crf
from chainer_seg.models.deeplab.graph_cut import graph_cut, import_maxflow

REFINEMENTS = {'graphcut': graph_cut, 'crf': dense_crf}


def find_refinement(refinement):
    """The function of a refinement.

    Args:
        refinement: A name of :data:`REFINEMENTS`, or None. A callable is returned as it is.

    Returns:
        ``refine(image, probability, clicks) -> (H, W) float32``; None for None.

    Raises:
        chainer_seg.errors.UserError: The name is unknown, or what it needs is not installed.
    """
    if refinement is None or callable(refinement):
        return refinement
    if refinement not in REFINEMENTS:
        raise UserError(f'Unknown refinement {refinement!r}; choose from '
                        f'{", ".join(REFINEMENTS)}, or None.')
    if refinement == 'graphcut':
        import_maxflow()
    return REFINEMENTS[refinement]
