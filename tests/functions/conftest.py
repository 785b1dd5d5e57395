"""What the tests of RoI operations share."""

import numpy as np
import pytest


@pytest.fixture
def indices(request, rng, rois):
    """The image of each RoI; the module has the shape of the feature maps as ``MAPS_SHAPE``."""
    return rng.integers(0, request.module.MAPS_SHAPE[0], len(rois)).astype(np.int32)
