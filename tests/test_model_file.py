import errno
import json
import os
import pathlib
import re
import shlex
import tracemalloc

import numpy as np
import pytest

import chainer_seg
from chainer_seg import load_model, model_file, save_model
from chainer_seg.errors import DeviceError, DiskFullError, ModelFileError
from chainer_seg.model_file import DESCRIPTION, copy_matching, read_description
from chainer_seg.models.deeplab import ClickSegmenter
from chainer_seg.zoo import SHIPPED, shipped_path


@pytest.fixture(scope='module')
def model():
    made = ClickSegmenter(blocks=(1, 1, 1, 1), width=2, seed=5)
    made.net.resnet.stem.norm.avg_mean[...] = [3, 4]
    made.origin = {'seed': 5}
    made.class_names = ('thing',)
    return made


@pytest.fixture
def path(model, tmp_path):
    save_model(tmp_path / 'model.npz', model)
    return tmp_path / 'model.npz'


def change(path, description=None, **arrays):
    """Writes the file anew with other entries; None leaves one out."""
    with np.load(path) as file:
        content = dict(file)
    if description is not None:
        told = json.loads(content[DESCRIPTION].tobytes())
        told.update(description)
        content[DESCRIPTION] = np.frombuffer(json.dumps(told).encode(), np.uint8)
    content.update(arrays)
    np.savez(path, **{name: array for name, array in content.items() if array is not None})


def test_what_is_saved_is_loaded(model, path):
    loaded = load_model(path)
    assert type(loaded) is ClickSegmenter and loaded.config == json.loads(json.dumps(model.config))
    assert loaded.origin == {'seed': 5} and loaded.class_names == ('thing',)
    for (name, a), (_, b) in zip(model.namedparams(), loaded.namedparams()):
        np.testing.assert_array_equal(a.array, b.array, err_msg=name)
    assert loaded.net.resnet.stem.norm.avg_mean.tolist() == [3, 4]


def test_half_precision_halves_the_file_and_loads_as_float32(model, path, tmp_path):
    save_model(tmp_path / 'half.npz', model, dtype='float16')
    weights = load_model(tmp_path / 'half.npz').net.resnet.stem.conv.W.array
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, model.net.resnet.stem.conv.W.array, rtol=1e-3, atol=1e-6)
    with np.load(tmp_path / 'half.npz') as half, np.load(path) as whole:
        assert half['net/pyramid/branch0/W'].nbytes * 2 == whole['net/pyramid/branch0/W'].nbytes


def test_half_precision_loses_no_number_to_infinity(tmp_path):
    made = ClickSegmenter(blocks=(1, 1, 1, 1), width=2, seed=5)
    made.net.resnet.stem.norm.avg_var[...] = [1e5, 3]
    save_model(tmp_path / 'half.npz', made, dtype='float16')
    assert load_model(tmp_path / 'half.npz').net.resnet.stem.norm.avg_var.tolist() == [1e5, 3]


def test_description_is_read_without_the_weights(path):
    description = read_description(path)
    assert description['class'] == 'ClickSegmenter' and description['config']['width'] == 2


def test_nothing_is_pickled(path):
    with np.load(path, allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file)


@pytest.mark.parametrize('share', [0.02, 0.3, 0.9, 0.999])
def test_truncated_file_is_one_sentence(path, share):
    content = path.read_bytes()
    path.write_bytes(content[:int(len(content) * share)])
    with pytest.raises(ModelFileError, match=r'model\.npz is truncated or damaged'):
        load_model(path)


def test_flipped_bytes_are_found(path):
    with np.load(path) as file:
        largest = max((file[name] for name in file), key=lambda array: array.nbytes)
    content = bytearray(path.read_bytes())
    begin = content.index(largest.tobytes()[:32])  # bytes in headers may be ones that no reader uses
    for place in range(begin, begin + 8):
        content[place] ^= 0xff
    path.write_bytes(bytes(content))
    with pytest.raises(ModelFileError, match='truncated or damaged'):
        load_model(path)


@pytest.mark.parametrize('content, sentence', [
    (b'', 'is an empty file'), (b'hello', 'is not a chainer_seg model file')])
def test_file_of_something_else_is_one_sentence(tmp_path, content, sentence):
    (tmp_path / 'a.npz').write_bytes(content)
    with pytest.raises(ModelFileError, match=sentence):
        load_model(tmp_path / 'a.npz')


@pytest.mark.parametrize('name', ['model.t7', 'a b.pth', 'R-50.PKL'])
def test_weights_of_another_framework_name_the_command_that_converts_them(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b'some bytes')
    command = shlex.join(['chainer-seg', 'convert', str(path), '-o', f'{path.stem}.npz'])
    with pytest.raises(ModelFileError, match=re.escape(f'run "{command}" and give {path.stem}.npz')):
        load_model(path)


def test_a_zip_file_of_pytorch_names_the_command_that_converts_it():
    path = pathlib.Path(__file__).parent / 'converters' / 'data' / 'resnext.pth'
    with pytest.raises(ModelFileError, match='run "chainer-seg convert .*resnext.pth -o resnext.npz"'):
        load_model(path)


def test_npz_of_something_else_is_one_sentence(tmp_path):
    np.savez(tmp_path / 'a.npz', x=np.zeros(3))
    with pytest.raises(ModelFileError, match='it is a .npz or .zip of something else'):
        load_model(tmp_path / 'a.npz')


def test_newer_format_asks_for_a_newer_version(path):
    change(path, {'version': 99})
    with pytest.raises(ModelFileError, match='format version 99.*install a newer chainer_seg'):
        load_model(path)


def test_unknown_class_is_named(path):
    change(path, {'class': 'os.system'})
    with pytest.raises(ModelFileError, match=r"class 'os\.system', which this chainer_seg"):
        load_model(path)


def test_configuration_of_another_class_is_reported(path):
    change(path, {'config': {'colour': 'red'}})
    with pytest.raises(ModelFileError, match='the ClickSegmenter .* unknown field colour'):
        load_model(path)


def test_missing_extra_and_misshaped_parameters_are_listed(path):
    change(path, **{'net/pyramid/branch0/b': None, 'net/other': np.zeros(2),
                    'net/pyramid/branch1/b': np.zeros(7, np.float32)})
    with pytest.raises(ModelFileError) as error:
        load_model(path)
    message = str(error.value)
    assert 'lacks net/pyramid/branch0/b' in message and 'has no net/other' in message
    assert 'net/pyramid/branch1/b is (7,) where (1,) is needed' in message


def test_pickled_array_is_rejected(path):
    change(path, **{'net/pyramid/branch0/b': np.array([{}], dtype=object)})
    with pytest.raises(ModelFileError):
        load_model(path)


def test_missing_file_names_the_shipped_models(tmp_path):
    names = ', '.join(SHIPPED)
    with pytest.raises(ModelFileError, match=rf'There is no model file .*\({names}\)'):
        load_model(tmp_path / 'nothing.npz')


def test_folder_is_reported(tmp_path):
    with pytest.raises(ModelFileError, match='is a folder'):
        load_model(tmp_path)


def test_full_disk_leaves_the_old_file(model, path, monkeypatch):
    before = path.read_bytes()

    def no_room(*arguments, **options):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(model_file.np, 'savez', no_room)
    with pytest.raises(DiskFullError, match='the disk is full'):
        save_model(path, model)
    assert path.read_bytes() == before and os.listdir(path.parent) == ['model.npz']


def test_absent_gpu_is_one_sentence(path):
    with pytest.raises(DeviceError, match='GPU 99 was asked for'):
        load_model(path, device=99)


@pytest.mark.parametrize('name', SHIPPED)
def test_shipped_model_is_loaded_by_its_name_and_is_small(name):
    assert load_model(name).origin['command'].startswith(('python scripts/train.py', 'chainer-seg train'))
    file = pathlib.Path(chainer_seg.__file__).parent / 'shipped' / SHIPPED[name]
    assert file.stat().st_size <= 4 * 1024 * 1024 and file.with_suffix('.md').exists()


def test_only_what_fits_is_copied_from_one_model_to_another(model):
    target = ClickSegmenter(blocks=(1, 1, 1, 1), width=2, mask_input=True, decoder=8, seed=6)
    untouched = target.copy(mode='copy')
    copied = copy_matching(model, target)
    given, new, old = (dict(each.namedparams()) for each in (model, target, untouched))
    # The input has a channel more, so the first weights do not fit; the decoder is not there at all.
    stem = '/net/resnet/stem/conv/W'
    np.testing.assert_array_equal(new[stem].array, old[stem].array)
    for path in given.keys() - {stem}:
        np.testing.assert_array_equal(new[path].array, given[path].array)
    for path in new.keys() - given.keys():
        np.testing.assert_array_equal(new[path].array, old[path].array)
    np.testing.assert_array_equal(target.net.resnet.stem.norm.avg_mean, [3, 4])
    assert copied >= len(given) - 1


def test_a_folder_of_the_same_name_does_not_hide_a_shipped_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'deepmask').mkdir()
    assert read_description('deepmask')['class'] == 'DeepMask'


@pytest.mark.parametrize('content, sentence', [
    (b'<!DOCTYPE html><html>', 'looks like a web page; download it again'),
    (b'version https://git-lfs.github.com/spec/v1\n', 'is a Git LFS pointer'),
    (b'\x1f\x8b\x08\0', 'looks like a gzip archive; unpack it first')])
def test_a_download_that_went_wrong_is_reported(tmp_path, content, sentence):
    (tmp_path / 'model.npz').write_bytes(content)
    with pytest.raises(ModelFileError, match=f'model.npz {sentence}'):
        load_model(tmp_path / 'model.npz')


@pytest.mark.parametrize('config', [
    {'width': 10_000_000}, {'width': 60_000}, {'blocks': [1000] * 4}, {'blocks': []},
    {'blocks': [1, 1, 1, 1] * 100}, {'decoder': 60_000}, {'pyramid': [10 ** 6]}, {'pyramid': [6] * 64},
    {'width': '2'}, {'width': True}, {'width': 2.5}, {'blocks': 4}, {'zoom_side': 10 ** 6},
    {'click_radius': 'wide'}, {'padding': ['zero']}, {'seed': -1}, {'longest_side': 0},
    {'stride_on': 'x' * 5000}])
def test_configuration_that_asks_for_more_than_the_file_holds_takes_no_memory(path, config):
    """One number of a small file must not make gigabytes."""
    with np.load(path) as file:
        before = json.loads(file[DESCRIPTION].tobytes())['config']
    change(path, {'config': {**before, **config}})
    tracemalloc.start()
    with pytest.raises(ModelFileError) as caught:
        load_model(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 << 20 and len(str(caught.value)) < 1000


@pytest.mark.parametrize(('name', 'key', 'value'), [
    ('yolact', 'image_size', 10_000_000), ('yolact', 'image_size', 5000), ('yolact', 'top_k', 10 ** 6),
    ('yolact', 'max_detections', 10 ** 9), ('yolact', 'score_threshold', 'high'),
    ('yolact', 'prototype_scale', 1000), ('yolact', 'anchor_ratios', [10 ** 400]),
    ('yolact', 'anchor_scales', [[24]] * 4), ('yolact', 'backbone', ['resnet50']),
    ('mask-rcnn', 'min_side', 10 ** 6), ('mask-rcnn', 'mask_roi_size', 10 ** 5),
    ('mask-rcnn', 'sampling_ratio', 10 ** 4), ('mask-rcnn', 'nms_threshold', None),
    ('mask-rcnn', 'blocks', [1]), ('mask-rcnn', 'keypoints', 1.5), ('deepmask', 'patch_size', 10 ** 5),
    ('deepmask', 'blocks', [3, 4]), ('sharpmask', 'skip_channels', 65_000), ('deeplab', 'n_class', 0),
    ('deeplab', 'strides', [1, 2, 100, 1]), ('deeplab', 'dilations', [1, 1, 2])])
def test_every_model_checks_its_configuration(tmp_path, name, key, value):
    with np.load(shipped_path(name)) as file:
        content = dict(file)
    description = json.loads(content[DESCRIPTION].tobytes())
    description['config'][key] = value
    text = json.dumps(description).encode()
    np.savez(tmp_path / 'model.npz', **{**content, DESCRIPTION: np.frombuffer(text, np.uint8)})
    with pytest.raises(ModelFileError):
        load_model(tmp_path / 'model.npz')


def test_whole_number_written_as_a_float_is_one(path, model):
    with np.load(path) as file:
        config = json.loads(file[DESCRIPTION].tobytes())['config']
    change(path, {'config': {**config, 'width': 2.0, 'blocks': [1.0, 1, 1, 1]}})
    assert load_model(path).config == json.loads(json.dumps(model.config))


@pytest.mark.parametrize('change_of', [
    {'class': ['ClickSegmenter']}, {'class': None}, {'config': []}, {'config': None},
    {'class_names': 'thing'}, {'class_names': [1]}, {'origin': 'here'}, {'version': 'new'}])
def test_description_of_another_form_is_one_sentence(path, change_of):
    change(path, change_of)
    with pytest.raises(ModelFileError):
        load_model(path)


def test_model_that_could_not_be_loaded_is_not_saved(tmp_path):
    model = ClickSegmenter(blocks=(1, 1, 1, 1), width=2, zoom_side=5000)
    with pytest.raises(ModelFileError, match='zoom_side: expected int <= 4096'):
        save_model(tmp_path / 'model.npz', model)


@pytest.mark.parametrize('name', ['bomb_width.npz', 'bomb_image_size.npz'])
def test_files_that_once_took_gigabytes_are_rejected(shared_cases, name):
    with pytest.raises(ModelFileError, match='expected int <='):
        load_model(shared_cases / 'attacks' / name)


@pytest.mark.parametrize('dtype', ['f8', 'u8', '?'])
def test_counter_of_another_type_is_named(path, dtype):
    counter = 'net/resnet/stem/norm/N'
    with np.load(path) as file:
        before = file[counter]
    change(path, **{counter: before.astype(dtype)})
    if dtype == '?':  # A truth value is a whole number.
        load_model(path)
        return
    with pytest.raises(ModelFileError, match=f'{counter} is {np.dtype(dtype)} where int'):
        load_model(path)
