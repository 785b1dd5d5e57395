"""How far a training run is, by its log, and how long it still takes."""

import itertools
import statistics
from collections.abc import Sequence
from typing import Any

_RECENT = 10  # lines of the log from which the time left is estimated


def share_done(line: dict[str, Any], settings: dict[str, Any]) -> float:
    """The share of a run that is done, by its iterations or its epochs."""
    done = (line['iteration'] / settings['iterations'] if settings.get('iterations') else
            line['epoch'] / settings['epochs'])
    return min(1.0, done)


def seconds_left(lines: Sequence[dict[str, Any]], share: float) -> float:
    """An estimate from the last lines; the median, which a pause does not change."""
    places = [(0.0, 0), *((line['elapsed_time'], line['iteration']) for line in lines)][-_RECENT:]
    rates = [(later[0] - before[0]) / (later[1] - before[1]) for before, later in itertools.pairwise(places)
             if later[1] > before[1]]
    iteration = lines[-1]['iteration']
    return statistics.median(rates) * iteration * (1 - share) / share if rates and share else 0.0
