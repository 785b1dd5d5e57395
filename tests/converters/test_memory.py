"""Large files are read, converted and saved in little more memory than their models take."""

import io
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest

from converters.formats import torch7_writer
from tests.converters.formats import tensorflow_writer
from tests.converters.formats.test_caffe import field, network, varint
from tests.converters.formats.test_pytorch import record, stream_of, tensor
from tests.converters.torch_networks import resnet

STATUS = pathlib.Path('/proc/self/status')

# Converts and saves, then prints the most memory that the process ever had, in kB.
PROGRAM = '''
import pathlib, sys
import converters
from chainer_seg import save_model
save_model(sys.argv[2], converters.convert(sys.argv[1]), dtype=sys.argv[3] or None)
status = pathlib.Path('/proc/self/status').read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith('VmHWM:')))
'''


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason='the peak of memory is read from /proc')
@pytest.mark.parametrize('dtype', ['', 'float16'])
def test_a_large_file_takes_two_and_a_half_times_its_size(tmp_path, repository, dtype):
    path = tmp_path / 'large.t7'
    torch7_writer.write(path, resnet(np.random.default_rng(0), (3, 4, 28, 3), 64, 1000))
    size = path.stat().st_size
    assert size > 200e6
    result = subprocess.run(
        [sys.executable, '-c', PROGRAM, path, tmp_path / 'large.npz', dtype], cwd=repository, text=True,
        capture_output=True, check=True)
    assert int(result.stdout) * 1024 < 2.5 * size


SIDE, COUNT = 1 << 20, 16  # Sixteen arrays of 4 MB.

# Copies every array of a file, then prints by how much the most memory ever had has grown, in kB.
COPY = '''
import pathlib, sys
import numpy as np
import converters
from converters import trees
from converters.weight_mapping import WeightMapping
def most():
    status = pathlib.Path('/proc/self/status').read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith('VmHWM:')))
before = most()
arrays = trees.named_arrays(converters.read(sys.argv[1]))
mapping = WeightMapping(sys.argv[1], arrays)
copies = [np.empty(array.shape, np.float32) for array in arrays.values()]
for copy, array in zip(copies, arrays.values()):
    mapping.fill(copy, array)
assert len(copies) == 16 and all(copy[-1] == 7 for copy in copies)
print(most() - before)
'''


def archive(content):
    value = {str(key): tensor(0, (SIDE,), (1,), str(key), count=SIDE) for key in range(COUNT)}
    return record(value, [(str(key), content) for key in range(COUNT)])


def stream(content):
    value = {str(key): tensor(0, (SIDE,), (1,), str(key), count=SIDE, more=(None,))
             for key in range(COUNT)}
    return stream_of(value, {str(key): (SIDE, content) for key in range(COUNT)})


def detectron(content):
    return pickle.dumps({str(key): np.frombuffer(content, 'f4').copy() for key in range(COUNT)}, 3)


def caffe(content):
    blob = field(7, field(1, varint(SIDE))) + field(5, content)
    return network(*[blob] * COUNT)


def arrays_of(content):
    return {str(key): np.frombuffer(content, 'f4').copy() for key in range(COUNT)}


def kaffe(content):
    file = io.BytesIO()
    np.save(file, np.array({'layer': arrays_of(content)}, object), allow_pickle=True)
    return file.getvalue()


def tensorflow(content):
    return tensorflow_writer.version_1(arrays_of(content))


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason='the peak of memory is read from /proc')
@pytest.mark.parametrize('make', [archive, stream, detectron, caffe, kaffe, tensorflow])
def test_copying_the_arrays_takes_no_second_copy(tmp_path, repository, make):
    path = tmp_path / 'large'
    path.write_bytes(make(np.full(SIDE, 7, 'f4').tobytes()))
    assert_little_memory(path, path.stat().st_size, repository)


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason='the peak of memory is read from /proc')
def test_copying_the_arrays_of_a_checkpoint_in_several_files(tmp_path, repository):
    tensorflow_writer.write_version_2(tmp_path / 'large', arrays_of(np.full(SIDE, 7, 'f4').tobytes()))
    size = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert_little_memory(tmp_path / 'large', size, repository)


def assert_little_memory(path, size, repository):
    assert size > 64e6
    result = subprocess.run([sys.executable, '-c', COPY, path], cwd=repository, text=True,
                            capture_output=True, check=True)
    assert int(result.stdout) * 1024 < 1.5 * size
