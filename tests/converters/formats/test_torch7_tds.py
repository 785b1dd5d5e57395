"""Torch's data structures outside Lua (tds), whose payloads are written here byte by byte."""

import struct

import numpy as np
import pytest

from chainer_seg.errors import WeightFileError
from converters.formats import torch7, torch7_writer
from converters.formats.torch7_values import Object, Table


def test_a_hash_of_tds_is_a_long_and_pairs(tmp_path):
    """The bytes are those of tds's hash.lua: a long n, then n keys and values."""
    data = (struct.pack('<iii', 4, 1, 3) + b'V 1' + struct.pack('<i', 8) + b'tds.Hash'
            + struct.pack('<q', 2) + struct.pack('<ii', 2, 1) + b'a' + struct.pack('<id', 1, 1.0)
            + struct.pack('<ii', 2, 1) + b'b' + struct.pack('<id', 1, 2.5))
    (tmp_path / 'a.t7').write_bytes(data)
    found = torch7.read(tmp_path / 'a.t7')
    assert found.class_name == 'tds.Hash' and dict(found.fields) == {'a': 1, 'b': 2.5}


def test_a_vec_of_tds_is_a_long_and_values(tmp_path):
    data = (struct.pack('<iii', 4, 1, 3) + b'V 1' + struct.pack('<i', 7) + b'tds.Vec'
            + struct.pack('<q', 2) + struct.pack('<id', 1, 1.0) + struct.pack('<ii', 2, 1) + b'x')
    (tmp_path / 'a.t7').write_bytes(data)
    assert torch7.read(tmp_path / 'a.t7').fields.sequence() == [1, 'x']


@pytest.mark.parametrize('options', [{}, {'ascii': True}, {'long_size': 4}], ids=repr)
def test_structures_of_tds_lie_in_tables_beside_weights(tmp_path, options):
    inner = Object('tds.Hash', Table({'cat': 1}))
    value = {'weights': np.arange(6, dtype=np.float32).reshape(2, 3), 'classes': inner, 'again': inner,
             'vec': Object('tds.Vec', Table({1: 2.5, 2: Object('tds.Vec', Table())})), 'after': 'end'}
    torch7_writer.write(tmp_path / 'a.t7', value, **options)
    found = torch7.read(tmp_path / 'a.t7')
    assert dict(found['classes'].fields) == {'cat': 1} and found['again'] is found['classes']
    assert found['vec'].fields[1] == 2.5 and len(found['vec'].fields[2].fields) == 0
    assert found['weights'].array.tolist() == [[0, 1, 2], [3, 4, 5]] and found['after'] == 'end'


def test_a_class_that_writes_itself_in_an_unknown_way_is_named_and_not_called_damage(tmp_path):
    data = (struct.pack('<iii', 4, 1, 3) + b'V 1' + struct.pack('<i', 17) + b'tds.AtomicCounter'
            + struct.pack('<q', 12))
    (tmp_path / 'a.t7').write_bytes(data)
    with pytest.raises(WeightFileError, match="at byte 36 there is an object of the class "
                                              "'tds.AtomicCounter', which has an unsup") as caught:
        torch7.read(tmp_path / 'a.t7')
    assert 'damaged' not in str(caught.value)
