import sys

import numpy as np
import pytest

from chainer_seg.errors import UserError
from chainer_seg.models.deeplab.dense_crf import dense_crf
from chainer_seg.models.deeplab.graph_cut import graph_cut
from chainer_seg.models.deeplab.refine import find_refinement


def test_refinements_are_found_by_name():
    assert find_refinement('graphcut') is graph_cut and find_refinement('crf') is dense_crf


def test_none_and_functions_are_returned_unchanged():
    def refine(image, probability, clicks):
        return probability
    assert find_refinement(None) is None and find_refinement(refine) is refine


def test_an_unknown_name_is_an_error():
    with pytest.raises(UserError, match="Unknown refinement 'sharpen'; choose from graphcut, crf"):
        find_refinement('sharpen')


def test_a_missing_dependency_is_reported_with_its_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, 'maxflow', None)
    with pytest.raises(UserError, match=r'PyMaxflow; install it with pip install "chainer-seg\[ref'):
        find_refinement('graphcut')
    with pytest.raises(UserError, match='PyMaxflow'):
        graph_cut(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.float32), [])
