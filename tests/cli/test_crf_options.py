"""The parameters of a dense CRF on the command line."""

import dataclasses

import pytest

from chainer_seg.cli.crf_options import crf_parameters
from chainer_seg.errors import UserError
from chainer_seg.models.deeplab.dense_crf import PRESETS


def test_a_preset_its_changes_or_both_are_parsed():
    assert crf_parameters('tensorflow') == PRESETS['tensorflow']
    assert crf_parameters('steps=3') == dataclasses.replace(PRESETS['deeplab'], steps=3)
    assert crf_parameters('tensorflow,steps=3') == dataclasses.replace(PRESETS['tensorflow'], steps=3)


@pytest.mark.parametrize('text, sentence', [
    ('caffe', "'caffe' is neither"), ('steps=many', "'many' is not a number"),
    ('steps=', "'' is not a number"), ('smooth_xy=inf', "'inf' is not a number")])
def test_others_are_refused(text, sentence):
    with pytest.raises(UserError, match=sentence):
        crf_parameters(text)
