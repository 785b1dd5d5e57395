"""The images on which the training dashboard shows what a model finds."""

from chainer_seg.evaluation.sample_predictions import Examples
from chainer_seg.recipes.data import Data

_EXAMPLES = 4


def first_examples(data: Data, seed: int) -> Examples:
    """The first examples of the data set to validate on."""
    _, validation = data.open(1, seed)
    return [validation[number] for number in range(min(_EXAMPLES, len(validation)))]
