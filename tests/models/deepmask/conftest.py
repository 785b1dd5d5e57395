"""What the tests of DeepMask and SharpMask share."""

import tracemalloc

import pytest


@pytest.fixture
def memory_of():
    """Gives the most bytes that a call had reserved at once."""
    def measure(call):
        tracemalloc.start()
        try:
            call()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    return measure
