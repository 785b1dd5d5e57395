"""Readers of data sets, their annotations and results on them."""

import json

import numpy as np
import scipy.io
from PIL import Image

from chainer_seg.datasets import (
    CocoDataset,
    MaskFolder,
    ObjectIndex,
    PackedDataset,
    SbdDataset,
    ShapesDataset,
    TFRecordDataset,
    VocDataset,
    open_dataset,
    pack_dataset,
    read_proposals,
)
from chainer_seg.datasets.click_files import ClickFilesDataset, write_sample
from chainer_seg.datasets.proposal_files import read_proposal_instances
from chainer_seg.datasets.semantic import open_semantic
from chainer_seg.datasets.validation import coco_statistics, validate_coco
from chainer_seg.evaluation.proposals import ProposalEvaluator
from chainer_seg.files import read_json
from chainer_seg.instances import Instances
from chainer_seg.masks import encode_rle
from tests.datasets.coco_files import annotation, content
from tests.datasets.coco_files import write as write_coco_file
from tests.datasets.record_files import example, features_of, record
from tests.datasets.voc_files import write_voc


def use(dataset):
    """What is done with each image of a data set."""
    for number in range(min(len(dataset), 4)):
        dataset.image_size(number)
        image, instances = dataset[number]
        instances.to_coco_results(0)
        repr(instances)
    ObjectIndex(dataset)


def _square():
    mask = np.zeros((1, 20, 30), bool)
    mask[0, 3:9, 2:8] = True
    return mask


def _coco(folder):
    code = encode_rle(_square())[0]
    points = [value for number in range(3) for value in (2 + number, 4, 2)]
    value = content(
        annotation(),
        annotation(id=2, category_id=90, segmentation=code),
        annotation(
            id=3, iscrowd=1, segmentation={'size': [20, 30], 'counts': [43, 6, 14, 6, 14, 6, 511]}
        ),
        annotation(id=4, image_id=8, keypoints=points, num_keypoints=3),
        images=[
            {'id': 7, 'file_name': 'a.png', 'height': 20, 'width': 30, 'license': 1},
            {'id': 8, 'file_name': 'a.png', 'height': 20, 'width': 30},
        ],
        categories=[
            {'id': 90, 'name': 'cat', 'supercategory': 'animal'},
            {'id': 3, 'name': 'dog', 'keypoints': ['a', 'b', 'c'], 'skeleton': [[1, 2]]},
        ],
    )
    value['info'] = {'year': 2017}
    write_coco_file(folder, value)


def _read_coco(folder, path):
    use(CocoDataset(folder / 'annotations.json', folder / 'images'))


def _read_coco_filled(folder, path):
    dataset = open_dataset(folder / 'annotations.json', folder / 'images', skip_empty=True)
    for number in range(len(dataset)):
        dataset.read_boxes(number)
        dataset.read_instances(number)


def _check_coco(folder, path):
    validate_coco(folder / 'annotations.json', folder / 'images')
    coco_statistics(folder / 'annotations.json')


def _pack(folder):
    pack_dataset(ShapesDataset(3, size=(16, 20), crowd_probability=0.5), folder / 'a.packed')


def _sbd(folder):
    for name in ('img', 'cls', 'inst'):
        (folder / name).mkdir()
    Image.new('RGB', (30, 20)).save(folder / 'img' / 'a.jpg')
    owners = _square()[0].astype(np.uint8)
    for kind, variable in (('cls', 'GTcls'), ('inst', 'GTinst')):
        entry = {
            'Segmentation': owners * (15 if kind == 'cls' else 1),
            'Categories': np.uint8([15]),
            'Boundaries': np.zeros(1),
        }
        scipy.io.savemat(folder / kind / 'a.mat', {variable: entry}, do_compression=kind == 'inst')
    (folder / 'train.txt').write_text('a\n')


def _read_sbd(folder, path):
    dataset = SbdDataset(folder / 'train.txt')
    use(dataset)
    dataset.read_classes(0)


def _read_voc(folder, path):
    dataset = VocDataset(folder / 'ImageSets' / 'Segmentation' / 'train.txt')
    use(dataset)
    dataset.read_classes(0)
    dataset.read_void(0)
    dataset.check_objects()
    open_semantic(folder / 'ImageSets' / 'Segmentation' / 'train.txt')[0]


def _records(folder):
    shapes = ShapesDataset(2, size=(16, 20))
    with open(folder / 'a.record', 'wb') as file:
        for number in range(2):
            image, instances = shapes[number]
            features = features_of(image, instances, number + 5, f'{number}.jpg', range(1, 99))
            file.write(record(example(**features)))


def _mask_folder(folder):
    for name in ('images', 'masks'):
        (folder / name).mkdir()
    Image.new('RGB', (30, 20)).save(folder / 'images' / 'a.png')
    Image.fromarray(_square()[0]).save(folder / 'masks' / 'a.png')
    Image.new('RGB', (30, 20)).save(folder / 'images' / 'b.png')
    Image.fromarray(_square()[0].astype(np.uint8) * 255).save(folder / 'masks' / 'b#1.png')


def _clicks(folder):
    (folder / 'images').mkdir()
    Image.new('RGB', (30, 20)).save(folder / 'images' / 'a.jpg')
    write_sample(folder, 'a-1', np.zeros((2, 20, 30), np.uint8), _square()[0])
    (folder / 'train.txt').write_text('a a-1\n')


def _read_clicks(folder, path):
    dataset = ClickFilesDataset(folder / 'train.txt')
    for number in range(min(len(dataset), 3)):
        dataset[number]


def _results():
    code = encode_rle(_square())[0]
    return [
        {
            'image_id': image,
            'category_id': 1,
            'score': score,
            'segmentation': code,
            'bbox': [2.0, 3, 6, 6],
        }
        for image in (7, 8)
        for score in (0.9, 0.25)
    ]


def _proposals(folder):
    (folder / 'p.json').write_text(json.dumps(_results()))


def _read_proposals(folder, path):
    for _ in read_proposals(folder / 'p.json'):
        pass
    for _ in read_proposal_instances(folder / 'p.json'):
        pass


def _evaluate_results(folder, path):
    evaluator = ProposalEvaluator()
    evaluator.add(Instances(_square()), read_json(folder / 'p.json'))
    evaluator.summary()


READERS = (
    ('COCO JSON', _coco, _read_coco, {'annotations.json': 'json'}),
    ('COCO JSON without images', _coco, _read_coco_filled, {'annotations.json': 'json'}),
    ('check of COCO JSON', _coco, _check_coco, {'annotations.json': 'json'}),
    (
        'packed data set',
        _pack,
        lambda folder, path: use(PackedDataset(folder / 'a.packed')),
        {'a.packed': 'packed'},
    ),
    ('SBD', _sbd, _read_sbd, {'*/*.mat': 'bytes', '*.txt': 'text'}),
    ('VOC', write_voc, _read_voc, {'Segmentation*/*.png': 'png', 'ImageSets/*/*.txt': 'text'}),
    (
        'TFRecord',
        _records,
        lambda folder, path: use(TFRecordDataset(folder / 'a.record')),
        {'a.record': 'records'},
    ),
    (
        'folder of masks',
        _mask_folder,
        lambda folder, path: use(MaskFolder(folder / 'images', folder / 'masks')),
        {'masks/*': 'png'},
    ),
    ('click files', _clicks, _read_clicks, {'*/*.tif': 'bytes', 'train.txt': 'text'}),
    ('proposals', _proposals, _read_proposals, {'p.json': 'json'}),
    ('evaluation of results', _proposals, _evaluate_results, {'p.json': 'json'}),
)
