"""Every option of every training changes what reaches the trainer, or is refused."""

import dataclasses
import shlex

import pytest

from chainer_seg import save_model, training
from chainer_seg.cli import parsing, train
from chainer_seg.datasets import PlainShapesDataset, pack_dataset, write_coco
from chainer_seg.errors import UserError
from chainer_seg.models.classifier import ResNetClassifier
from chainer_seg.models.deeplab import ClickSegmenter, DeepLab
from chainer_seg.models.deepmask import DeepMask
from chainer_seg.models.mask_rcnn import MaskRCNN
from chainer_seg.models.yolact import Yolact
from chainer_seg.recipes import recipe_class
from chainer_seg.training import multi_node
from tests.models.ritm.toys import make
from tests.models.yolact.toys import SMALL
from tests.scripts.reached import described

TRUNK = '--iSz 48 --oSz 10 --gSz 24 --bottleneck 4 --features 10 --hidden 7'
SCRATCH = f'--scratch --blocks 1 1 1 --width 3 {TRUNK}'

NEW = '--dataset shapes --pretrained none'
RCNN = '--pretrained none --neck fpn --blocks 1 1 1 1 --width 2 --fpn-channels 4 --box-features 6'

RITM = '--width 2 --ocr-width 2 --stem-width 4'
RITM_DEEPLAB = '- --network deeplab --blocks 1 1 1 1 --width 2 --channels 4'

# Options that change what is said, not what is done; and those that every system shares, which are in the
# tables of click and yolact.
ELSEWHERE = {'verbose', 'recipe', 'as_tensorflow', 'set'}

RUN = {'--seed': '3', '--device': 'cpu', '-q': '', '--overwrite': '', '--out': 'other', '--resume': '',
       '--half': '', '--sample-images': '0', '--sub-batches': '2', '--workers': '0', '--log-every': '7',
       '--keep-last': '9', '--communicator': 'naive',
       '--lr-scaling': ('--communicator naive', '--lr-scaling linear'),
       '--sync-batch-norm': ('--communicator naive', '--sync-batch-norm')}
FILES = '--annotations set/annotations.json --images set/images'
DATA = {'--dataset': 'plain-shapes', '--annotations': 'set/annotations.json --images set/images',
        '--images': (FILES, '--images linked'),
        '--val-images': (f'{FILES} {FILES.replace("--", "--val-")}', '--val-images linked'),
        '--val-annotations': (FILES, '--val-annotations other.json'), '--size': '48', '--val-n': '3'}

# Of each system what is always given, and of each option its value, or a pair of the words that are
# given without and, in addition, with it. Behind '-' stand all words.
SYSTEMS = {
    'click': ('--blocks 1 1 1 1 --width 2', {
        **RUN, **DATA, '--iterations': '5', '--batch-size': '3', '--lr': '0.5',
        '--optimizer': 'momentum',
        '--schedule': 'poly', '--warm-up': '9', '--weight-decay': '0.5', '--snapshot-every': '7',
        '--epochs': (FILES, '--epochs 3'),
        '--as-tensorflow': ('--no-freeze-bn --iterations 5', '--as-tensorflow'),
        '--list': ('', None), '--data': ('', None), '--val-list': ('', None),
        '--init': ('-', '--init click.npz'), '--init-trunk': '--init-trunk click.npz',
        '--backbone': '--backbone resnet.npz', '--blocks': ('-', '--blocks 1 1 1 1'),
        '--width': ('--blocks 1 1 1 1', '--width 3'), '--longest-side': '99', '--zoom-side': '99',
        '--local-side': '98', '--click-scale': '2', '--click-mean': '2', '--click-encoding': 'disk',
        '--click-radius': ('--click-encoding disk', '--click-radius 3'), '--mask-input': '',
        '--decoder': '4', '--crop': '48', '--object-scale': '2 3', '--whole-images': '',
        '--sampling': 'paper', '--max-positive': '2', '--max-negative': '2', '--simulated-clicks': '2',
        '--start-masks': ('--mask-input', '--start-masks 0.5'), '--composites': '0.5',
        **{f'--{name}': ('--sampling paper', f'--{name} {value}') for name, value in {
            'strategies': 'outline', 'positives': '2 3', 'background': '2 3', 'others': '2 3',
            'outline': '3', 'd-step': '7', 'ratio-factor': '7', 'd-margin': '7', 'd': '77',
            'outline-margin': '7', 'tries': '7', 'n-pos': '3', 'n-neg': '9'}.items()},
        '--jaccard-weight': '0.5', '--positive-weight': '2', '--loss-scale': '2', '--ends-lr': '2',
        '--freeze-bn': ('- --init click.npz', '--freeze-bn'), '--val-objects': '9',
        '--not-restore-last': ('- --init click.npz', '--not-restore-last'),
        '--power': ('--schedule poly', '--power 0.5'),
        '--momentum': ('--optimizer momentum', '--momentum 0.5')}),
    'deeplab': ('--blocks 1 1 1 1 --width 2 --pyramid 1 2', {
        **RUN, **DATA, '--iterations': '5', '--batch-size': '3', '--lr': '0.5',
        '--optimizer': 'momentum',
        '--schedule': 'cosine', '--warm-up': '9', '--weight-decay': '0.5', '--snapshot-every': '7',
        '--sbd': ('', None), '--class-names': ('', None),
        '--init': ('-', '--init deeplab.npz'), '--backbone': ('--pyramid 1 2', '--backbone resnet.npz'),
        '--blocks': ('-', '--blocks 1 1 1 1'), '--width': ('--blocks 1 1 1 1', '--width 3'),
        '--pyramid': ('--blocks 1 1 1 1 --width 2', '--pyramid 3'), '--longest-side': '99', '--msc': '',
        '--not-restore-last': (f'- --init deeplab {FILES}', '--not-restore-last'), '--power': '0.5',
        '--ignore-label': '2', '--fine-tune': '', '--batch-norm': 'frozen', '--last-lr': '2 3',
        '--crop': '65', '--random-scale': '1 2', '--mirror': '0',
        '--momentum': ('--optimizer momentum', '--momentum 0.5')}),
    'ritm': (RITM, {
        **RUN, **DATA, '--iterations': '5', '--batch-size': '3', '--lr': '0.5', '--optimizer': 'momentum',
        '--schedule': 'constant', '--lr-step': ('--schedule steps', '--lr-step 3 4'), '--warm-up': '9',
        '--weight-decay': '0.5', '--snapshot-every': '7', '--val-objects': '9',
        '--momentum': ('--optimizer momentum', '--momentum 0.5'),
        '--init': ('-', '--init ritm.npz'), '--network': ('- ', '--network deeplab'),
        '--backbone': (RITM_DEEPLAB, '--backbone basic.npz'), '--blocks': (RITM_DEEPLAB, '--blocks 1 2 1 1'),
        '--channels': (RITM_DEEPLAB, '--channels 6'), '--width': '3', '--branch-blocks': '2',
        '--modules': '1 1', '--ocr-width': '3', '--stem-width': '6', '--click-encoding': 'distance',
        '--click-radius': '3', '--mask-input': '--no-mask-input', '--fusion': 'colors', '--zoom-side': '99',
        '--crop': '48', '--random-scale': '1 2', '--max-clicks': '2', '--click-decay': '0.5',
        '--simulated-clicks': '1', '--merged-objects': '0.5', '--least-area': '7', '--alpha': '0.3',
        '--gamma': '1', '--aux-weight': '0.1', '--backbone-lr': '0.1'}),
    'deepmask': (f'{SCRATCH} --synthetic-images 2 --val-n 2 --size 64', {
        **RUN, **DATA, '--dataset': ('', '--dataset plain-shapes'), '--size': '48',
        '--annotations': (f'- {SCRATCH} --synthetic-images 2', f'- {SCRATCH} {FILES}'),
        '--images': (f'- {SCRATCH} {FILES}', '--images linked'),
        '--val-annotations': (f'- {SCRATCH} {FILES}', '--val-annotations other.json'),
        '--val-images': (f'- {SCRATCH} {FILES} {FILES.replace("--", "--val-")}',
                         '--val-images linked'),
        '--synthetic-images': '3', '--shift': '3', '--scale': '0.5', '--hfreq': '0.3', '--batch': '5',
        '--maxload': '5', '--testmaxload': '5', '--maxepoch': '5', '--lr': '0.5',
        '--schedule': ('--lr 0.1', '--schedule poly'), '--warm-up': ('--lr 0.1', '--warm-up 5'),
        '--optimizer': 'adam', '--momentum': '0.5', '--wd': '0.5', '--mask-weight': '3',
        '--nthreads': '0', '--reload': '', '--snapshot-every': '3', '--copy-every': '3',
        '--trunk': (
            f'- {SCRATCH} --synthetic-images 2', f'- {TRUNK} --trunk resnet.npz --synthetic-images 2'),
        '--scratch': ('', None),
        '--iSz': '64', '--oSz': '12', '--gSz': '30', '--blocks': '2 1 1', '--width': '4',
        '--norm': 'affine', '--bottleneck': '5', '--features': '5', '--hidden': '5', '--iterations': '7'}),
    'sharpmask': ('--dm deepmask.npz --synthetic-images 2 --val-n 2 --size 64', {
        **RUN, **DATA, '--dataset': ('', '--dataset plain-shapes'), '--size': '48',
        '--annotations': ('- --dm deepmask.npz --synthetic-images 2', f'- --dm deepmask.npz {FILES}'),
        '--images': (f'- --dm deepmask.npz {FILES}', '--images linked'),
        '--val-annotations': (f'- --dm deepmask.npz {FILES}', '--val-annotations other.json'),
        '--val-images': (f'- --dm deepmask.npz {FILES} {FILES.replace("--", "--val-")}',
                         '--val-images linked'),
        '--synthetic-images': '3', '--shift': '3', '--scale': '0.5', '--hfreq': ('', None), '--batch': '5',
        '--maxload': '5', '--testmaxload': '5', '--maxepoch': '5', '--lr': '0.5',
        '--schedule': ('--lr 0.1', '--schedule poly'), '--warm-up': ('--lr 0.1', '--warm-up 5'),
        '--optimizer': 'adam', '--momentum': '0.5', '--wd': '0.5', '--mask-weight': '3',
        '--nthreads': '0', '--reload': '', '--snapshot-every': '3', '--copy-every': '3',
        '--dm': 'other-deepmask.npz', '--km': '16', '--ks': ('', None), '--skip-channels': '8',
        '--iterations': '7'}),
    'mask-rcnn': (f'{RCNN} --dataset shapes', {
        **RUN, **DATA, '--gpu': '-1', '--coco-folder': ('', None),
        '--annotations': (f'- {RCNN} --dataset shapes', f'- {RCNN} {FILES}'),
        '--images': (f'- {RCNN} {FILES}', '--images linked'),
        '--val-annotations': (f'- {RCNN} {FILES}', '--val-annotations other.json'),
        '--val-images': (f'- {RCNN} {FILES} {FILES.replace("--", "--val-")}', '--val-images linked'),
        '--pretrained': (f'- {NEW} --neck fpn', '--pretrained resnet.npz'),
        '--init': (f'- {NEW} --width 1', '- --dataset shapes --init rcnn.npz'),
        '--extractor': (f'- {NEW} --width 1', '--extractor resnet101'),
        '--neck': (f'- {NEW} --blocks 1 1 1 1 --width 2', '--neck fpn'), '--blocks': '2 1 1 1',
        '--width': '3', '--stride-on': '3x3', '--freeze_bn': '', '--freeze-at': '2', '--no-roialign': '',
        '--bn2affine': ('- --dataset shapes --pretrained resnet.npz', '--bn2affine'),
        '--roi_size': '5', '--fpn-channels': '5', '--box-features': '5', '--mask-channels': '5',
        '--no-masks': '', '--keypoints': (f'- {RCNN} --dataset figures', '--keypoints'),
        '--keypoint-channels': (f'- {RCNN} --dataset figures --keypoints', '--keypoint-channels 8'),
        '--anchor-sizes': '9 16 32 64 128', '--canonical-size': '99', '--min-side': '99',
        '--max-side': '999', '--test-side': '99', '--rpn-anchors': '9', '--rois': '9',
        '--proposals': '9 9', '--test-proposals': '9 9', '--lr': '0.5', '--optimizer': 'adam',
        '--momentum': '0.5', '--weight-decay': '0.5', '--schedule': 'cosine', '--lr_step': '9',
        '--lr_initialchange': '9', '--gamma': '2', '--batchsize': '9', '--subdivision': '2',
        '--iteration': '9', '--snapshot': '9', '--validation': '9'}),
    'yolact': ('--set width=2 blocks=[1,1,1,1] fpn_channels=4 prototypes=3 image_size=64 '
               'anchor_scales=[[8],[16],[24],[40],[60]]', {
        **RUN, **DATA, '--name': 'resnet50_pascal',
        '--set': 'max_masks=3', '--data-folder': 'prepared', '--weights': ('-', '--weights yolact.npz'),
        '--backbone': '--backbone resnet3.npz', '--backbone-channels': (
            '--backbone resnet3.npz', '--backbone-channels bgr'),
        '--batch-size': '2', '--iterations': '9', '--lr': '0.5', '--momentum': '0.5',
        '--weight-decay': '0.5', '--save-interval': '9', '--print-interval': '9',
        '--mixed-precision': ('', None), '--optimizer': 'adam', '--schedule': 'cosine', '--warm-up': '9',
        '--steps': '9', '--least-norm-batch': '99',
        '--backbone-name': 'resnet101', '--image-size': '96', '--width': '3', '--blocks': '2 1 1 1',
        '--deformable': '0 1 1 1', '--fpn-channels': '5', '--prototypes': '4', '--prototype-scale': '1',
        '--anchor-scales': '[[9],[16],[24],[40],[60]]', '--anchor-ratios': '1', '--no-square-anchors': '',
        '--rescoring': '2 3', '--anchor-threshold': '0.5', '--score-threshold': '0.5',
        '--nms-threshold': '0.4', '--max-detections': '7', '--suppression': 'traditional', '--top-k': '9',
        '--no-rescore': '', **{f'--matching.{name}': '0.9' for name in ('positive', 'negative', 'crowd')},
        **{f'--losses.{name}': '3' for name in (
            'classes', 'boxes', 'masks', 'semantic', 'rescoring', 'negative-ratio', 'max-masks')},
        '--losses.negative-ratio': '5',
        **{f'--augmentation.no-{name}': '' for name in ('photometric', 'expand', 'crop', 'mirror')},
        '--augmentation.brightness': '9', '--augmentation.contrast': '1 2',
        '--augmentation.saturation': '1 2', '--augmentation.hue': '9', '--augmentation.largest-canvas': '2',
        '--augmentation.least-crop': '0.5', '--augmentation.canvas-colour': '1 2 3',
        '--samples.least-side': '0.5', '--samples.max-objects': '7'}),
}

# Options that are refused, with the sentence.
REFUSED = [
    *(('click', words, f'{words.split()[0]} applies only with --communicator') for words in (
        '--lr-scaling linear', '--sync-batch-norm')),
    *((system, f'{always} {words}', 'are for data sets of files') for system, always in {
        'click': '', 'deeplab': '', 'mask-rcnn': NEW, 'ritm': RITM, 'yolact': '',
        'deepmask': f'{SCRATCH} --synthetic-images 2',
        'sharpmask': '--dm deepmask.npz --synthetic-images 2'}.items()
      for words in ('--labels-as colors', '--allow-outside')),
    *((system, words, sentence) for system in ('click', 'deeplab', 'mask-rcnn', 'yolact') for
      words, sentence in [
        (f'{FILES} --size 48', '--size applies only with a --dataset that is synthetic'),
        (f'--dataset plain-shapes {FILES}', '--annotations applies only with a --dataset of files'),
        ('--dataset shapes --images set/images', '--images applies only with a --dataset of files'),
        ('--dataset shapes --val-annotations set/annotations.json',
         '--val-annotations applies only with a --dataset'),
        (f'{FILES} --val-images set/images', '--val-images applies only with --val-annotations')]),
    *((system, f'{FILES} --val-n 3', '--val-n applies only with a --dataset that is synthetic')
      for system in ('click', 'deeplab', 'mask-rcnn', 'ritm', 'yolact')),
    ('click', '--as-tensorflow --no-freeze-bn', 'The recipe counts epochs'),
    ('click', '--epochs 3', '--epochs applies only with --dataset coco, voc, sbd or click-files'),
    *((system, words, sentence) for system in ('click', 'deeplab') for words, sentence in [
        ('--not-restore-last', '--not-restore-last applies only with --init'),
        ('--schedule constant --power 2', '--power applies only with --schedule poly')]),
    ('click', f'{FILES} --dataset collages --epochs 3', '--epochs applies only with --dataset coco'),
    ('click', '--dataset collages', '--dataset collages needs --annotations and --images'),
    ('click', f'{FILES} --epochs 3 --iterations 4', '--epochs applies only without --iterations'),
    *(('click', f'--init click.npz {words}', 'applies only without --init') for words in (
        '--width 2', '--blocks 1 1 1 1', '--init-trunk click.npz', '--backbone resnet.npz',
        '--mask-input', '--decoder 4')),
    *(('click', f'--dataset click-files --list l.txt {words}', 'applies only without --dataset')
      for words in (
          '--sampling paper', '--whole-images', '--object-scale 1 2', '--d-step 3', '--composites 0.1',
          '--annotations set/annotations.json', '--simulated-clicks 1', '--jaccard-weight 1')),
    ('click', '--list l.txt', '--list applies only with --dataset click-files'),
    ('click', '--data d', '--data applies only with --dataset click-files'),
    ('click', '--val-list l.txt', '--val-list applies only with --dataset click-files'),
    ('click', '--whole-images --object-scale 1 2', '--object-scale applies only without --whole-images'),
    ('click', '--sampling paper --max-positive 2', '--max-positive applies only with --sampling few'),
    ('click', '--max-negative 2 --as-tensorflow', '--max-negative applies only with --sampling few'),
    ('click', '--d-step 3', '--d-step belongs to --sampling'),
    ('click', '--start-masks 0.5', '--start-masks shows the network a mask, and this one takes none'),
    ('click', '--click-radius 3', '--click-radius applies only to clicks that are encoded as disk'),
    ('click', '--click-encoding disk --click-scale 2', '--click-scale applies only to clicks that are'),
    *(('deeplab', words, f'{words.split()[0]} applies only to a list of images') for words in (
        '--sbd d', '--class-names a', f'--sbd d {FILES}', f'--class-names a b {FILES}')),
    *(('deeplab', f'--init deeplab.npz {words}', 'applies only without --init') for words in (
        '--width 2', '--blocks 1 1 1 1', '--pyramid 1', '--backbone resnet.npz')),
    ('deeplab', '--backbone resnet.npz --width 2', '--width applies only without --backbone'),
    *(('ritm', f'--init ritm.npz {words}', 'applies only without --init') for words in (
        '--width 2', '--network deeplab', '--click-radius 3', '--no-mask-input', '--fusion colors')),
    *(('ritm', f'--network deeplab {words}', 'applies only with --network hrnet') for words in (
        '--branch-blocks 2', '--modules 1', '--ocr-width 3', '--aux-weight 1')),
    *(('ritm', words, 'applies only with --network deeplab') for words in (
        '--blocks 1 1 1 1', '--channels 3', '--backbone basic.npz')),
    ('ritm', '--lr-step 3', '--lr-step applies only with --schedule steps'),
    ('ritm', '--init click.npz', 'holds a ClickSegmenter, not a RITM model'),
    ('deepmask', '--trunk resnet.npz --width 2', '--width applies only without --trunk'),
    ('deepmask', '--scratch --schedule poly', '--schedule applies only with an --lr above 0'),
    ('deepmask', '--scratch --warm-up 9', '--warm-up applies only with an --lr above 0'),
    ('deepmask', '--scratch --optimizer adam --momentum 0.5', '--momentum applies only with --opt'),
    ('deepmask', f'--scratch {FILES} --synthetic-images 9',
     '--synthetic-images applies only with a --dataset that is'),
    ('sharpmask', '--dm deepmask.npz --hfreq 0.5', 'omit --hfreq'),
    ('sharpmask', '--dm deepmask.npz --km 32 --ks 16', 'give one number for both'),
    ('mask-rcnn', '--dataset shapes --coco-folder d', '--coco-folder applies only with --dataset coco2017'),
    ('mask-rcnn', '--dataset coco2017 --annotations a.json', '--annotations applies only without'),
    *(('mask-rcnn', f'{option} rcnn.npz {words}', 'applies only to a new model') for words in (
        '--width 2', '--neck fpn', '--no-masks', '--anchor-sizes 1 2', '--pretrained resnet.npz',
        '--no-roialign', '--roi-size 3', '--test-side 9') for option in ('--init', '--resume')),
    ('mask-rcnn', '--init rcnn.npz --resume rcnn.npz', '--init applies only without a model file'),
    ('mask-rcnn', '--pretrained resnet.npz --width 2', '--width applies only with --pretrained none'),
    ('mask-rcnn', '--blocks 1 1 1 1 --extractor resnet50', '--extractor applies only without --blocks'),
    ('mask-rcnn', '--neck c4 --fpn-channels 3', '--fpn-channels applies only with --neck fpn'),
    ('mask-rcnn', '--canonical-size 3', '--canonical-size applies only with --neck fpn'),
    ('mask-rcnn', '--keypoint-channels 3', '--keypoint-channels applies only with --keypoints'),
    ('mask-rcnn', '--no-masks --gamma 2', '--gamma applies only without --no-masks'),
    ('mask-rcnn', '--no-masks --mask-channels 2', '--mask-channels applies only without --no-masks'),
    ('mask-rcnn', '--schedule cosine --lr-step 2', '--lr-step applies only with --schedule chainer'),
    ('mask-rcnn', '--optimizer adam --momentum 0.1', '--momentum applies only with --opt'),
    ('yolact', f'--data-folder prepared {FILES}', '--annotations applies only without --data-folder'),
    ('yolact', '--data-folder prepared --dataset shapes', '--data-folder applies only with a --dataset'),
    ('yolact', '--data-folder prepared --images set/images', '--images applies only without'),
    ('yolact', '--backbone-channels bgr', '--backbone-channels applies only with --backbone'),
    ('yolact', '--set optimizer=adam --momentum 0.5', '--momentum applies only with --optimizer momentum'),
    ('yolact', '--mixed-precision --device cpu', 'omit --mixed-precision'),
    ('yolact', '--annotations prepared/train.packed --images set/images', 'contains its images'),
    ('yolact', f'{FILES} --categories coco', 'has names of its own; omit it'),
    ('yolact', '--categories coco', '--categories applies only with a --dataset of files'),
]


KNOWN = {}  # What has reached the trainer so far, by the system and the words.


class Reached(Exception):
    """The trainer has been called."""


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with models and data sets."""
    folder = tmp_path_factory.mktemp('options')
    for name in ('set', 'other'):
        path = write_coco(PlainShapesDataset(3, seed=len(name), size=(48, 48)), folder / name)
    (folder / 'linked').symlink_to(folder / 'set' / 'images')
    (folder / 'other.json').write_bytes(path.read_bytes())
    (folder / 'prepared').mkdir()
    pack_dataset(PlainShapesDataset(3, seed=2, size=(48, 48)), folder / 'prepared' / 'train.packed')
    tiny = {'blocks': (1, 1, 1, 1), 'width': 2}
    models = {
        'click': ClickSegmenter(**tiny, seed=5), 'deeplab': DeepLab(3, **tiny, pyramid=(1,), seed=5),
        'resnet': ResNetClassifier(3, (1, 1, 1, 1), 2, seed=5),
        'resnet3': ResNetClassifier(3, (1, 1, 1, 1), 2, stride_on='3x3', seed=5),
        'basic': ResNetClassifier(3, (1, 1, 1, 1), 2, block='basic', seed=5), 'ritm': make('hrnet'),
        'rcnn': MaskRCNN(3, 'fpn', **tiny, fpn_channels=4, box_features=6, mask_channels=4),
        'yolact': Yolact(**{**SMALL, 'classes': 3}),
        **{name: DeepMask(48, 10, 24, (1, 1, 1), width, bottleneck=4, features=10, hidden=7)
           for name, width in (('deepmask', 3), ('other-deepmask', 4))}}
    for name, model in models.items():
        save_model(folder / f'{name}.npz', model)
    return folder


@pytest.fixture
def reach(folder, repository, monkeypatch):
    """``reach('click', '--lr 1')``: what the trainer is called with, as text."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(multi_node, 'connect', lambda communicator: multi_node.Ranks())

    def call(system, words):
        if (system, words) in KNOWN:
            return KNOWN[system, words]
        reached = []

        def record(*arguments, **settings):
            reached.append(described((arguments, {**settings, 'command': None})))
            raise Reached
        monkeypatch.setattr(training, 'build_trainer', record)
        request = train.parse(system, [*shlex.split(words), *([] if '--out' in words else ['--out', 'run'])])
        request = dataclasses.replace(request, run=dataclasses.replace(request.run, command=None))
        with pytest.raises(Reached):
            train.train(request)
        KNOWN[system, words] = reached[0]
        return reached[0]
    return call


def words_of(system, flag, given):
    """The words without and with an option; behind '-' stand all of them."""
    always, _ = SYSTEMS[system]
    if not isinstance(given, tuple):
        given = given if given.startswith('--') else f'{flag} {given}'
        return always, f'{always} {given}'
    before, option = given
    own = {word for word in before.split() if word.startswith('--')}
    if before.startswith('-') and not before.startswith('--'):
        always, before = '', before[1:]
    elif own & set(always.split()):
        always = ''
    if option.startswith('- '):
        return before, option[2:]
    return f'{always} {before}', f'{always} {before} {option}'


CHANGES = [(system, flag, given) for system, (_, table) in SYSTEMS.items()
           for flag, given in table.items() if given is not None and given != ('', None)]


@pytest.mark.parametrize('system, flag, given', CHANGES, ids=lambda value: str(value)[:40])
def test_the_option_changes_what_reaches_the_trainer(reach, system, flag, given):
    without, with_option = words_of(system, flag, given)
    assert reach(system, without) != reach(system, with_option)


@pytest.mark.parametrize('system, words, sentence', REFUSED, ids=lambda value: str(value)[:40])
def test_the_option_is_refused_where_it_changes_nothing(reach, system, words, sentence):
    with pytest.raises(UserError, match=sentence):
        reach(system, words)


@pytest.mark.parametrize('system', SYSTEMS)
def test_every_option_is_in_a_table(system):
    """Under one of the ways in which it can be written."""
    listed = {plain(flag) for flag, given in SYSTEMS[system][1].items() if given not in (None, ('', None))}
    listed |= {plain(word) for each, words, _ in REFUSED if each == system for word in words.split()}
    form = recipe_class(system)
    for option in parsing.options_of(train.command_of(form, form())):
        if option.name not in ELSEWHERE:
            assert set(map(plain, option.spellings)) & listed, f'{system} {option.name}'


def plain(flag):
    return flag.lstrip('-').replace('_', '-')


@pytest.mark.parametrize('words, iterations, epochs', [
    ('--as-tensorflow --no-freeze-bn --iterations 9', 9, None),
    ('--iterations 9 --as-tensorflow --no-freeze-bn', 9, None),
    ('--as-tensorflow --no-freeze-bn', None, 10),
    ('--as-tensorflow --no-freeze-bn --epochs 2', None, 2)])
def test_the_length_that_is_given_wins_over_that_of_tensorflow(reach, words, iterations, epochs):
    text = reach('click', f'--blocks 1 1 1 1 --width 2 {FILES} {words}')
    assert f'iterations: {iterations},' in text
    assert (f'epochs: {epochs}' in text) if epochs else ('epochs' not in text)


@pytest.mark.parametrize('system', SYSTEMS)
def test_the_same_options_reach_the_trainer_as_the_same(reach, system):
    always, _ = SYSTEMS[system]
    assert reach(system, always) == reach(system, f'{always} ')


def test_what_is_given_before_as_tensorflow_stays(reach):
    text = reach('click', f'--lr 0.25 --no-freeze-bn --as-tensorflow {FILES} --blocks 1 1 1 1 --width 2')
    assert 'lr: 0.25' in text and 'batch_size: 7' in text


def test_names_of_the_tensorflow_code_are_found():
    words = ['--sampling', 'paper', '--N_POS', '3', '--D_MARGIN=4', '--RATIO_FACTOR', '2']
    request = train.parse('click', words)
    sampling = request.recipe.sampling
    assert (sampling.n_pos, sampling.d_margin, sampling.ratio_factor) == (3, 4, 2)
