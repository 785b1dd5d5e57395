import types

import numpy as np
import pytest

from chainer_seg.models.deepmask.selection import Maps, best_candidates, best_selection, drop_beaten


@pytest.fixture
def pieces(rng):
    """Candidates of five pieces; scores are of few values, so that many are equal."""
    found = []
    for number in range(5):
        scores = rng.integers(-3, 3, (3, 5)).astype(np.float32)
        maps = Maps(rng.normal(size=(4, 3, 5)), scores, [rng.normal(size=(2, 4, 6))])
        level = types.SimpleNamespace(number=number)
        found.append(best_candidates(level, maps, 15, 2, first=(10 * number, 0)))
    return found


def windows(candidates, n):
    """What is selected: the level, the place and the values of each window."""
    chosen = []
    for entry, within in zip(*best_selection(candidates, n)[:2]):
        each = candidates[entry]
        features, (skip,) = each.windows([within])
        chosen.append((each.level.number, each.rows[within], each.columns[within], features.tolist(),
                       skip.tolist()))
    return chosen


@pytest.mark.parametrize('n', [1, 7, 40, 100])
def test_windows_that_cannot_be_chosen_are_dropped_as_pieces_come(pieces, n):
    kept = []
    for piece in pieces:
        kept = drop_beaten([*kept, piece], n)
    assert windows(kept, n) == windows(pieces, n)
    assert sum(len(each.scores) for each in kept) == min(n, 75)
