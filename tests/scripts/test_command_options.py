"""Options of the scripts beside train.py: what reaches the work changes, or they are refused."""

import pytest

from chainer_seg import save_model
from chainer_seg.cli.detector_options import Detection
from chainer_seg.cli.parsing import options_of, parse
from chainer_seg.cli.proposal_options import ProposalOptions
from chainer_seg.cli.semantic_options import SemanticInference
from chainer_seg.datasets import PlainShapesDataset, pack_dataset, write_coco
from chainer_seg.models.deeplab import ClickSegmenter, DeepLab
from chainer_seg.models.deepmask import DeepMask, SharpMask
from chainer_seg.models.mask_rcnn import MaskRCNN
from tests.scripts.reached import described

FILES = '--annotations set/annotations.json --images set/images'
EVALUATED = ('deepmask.npz', 'deepmask.npz --protocol patch', 'deeplab.npz', 'rcnn.npz', 'click.npz')
WITHOUT_FILES = 'applies only without --annotations'
OF_CRF = '--crf-parameters applies only with --refine crf'

REFUSED = [
    *((f'evaluate.py {model} {words}', sentence) for model in EVALUATED
      for words, sentence in [
        (f'{FILES} --n 3', '--n applies only without --annotations'),
        (f'{FILES} --size 48', '--size applies only without --annotations'),
        ('--start-at 2', '--start-at applies only with --annotations'),
        ('--end-at 2', '--end-at applies only with --annotations')]),
    *((f'evaluate.py {model}.npz --images set/images', '--images applies only with --annotations')
      for model in ('deepmask', 'deeplab', 'rcnn')),
    *((f'evaluate.py {model}.npz {FILES} --drawn shapes', '--drawn applies only without --annotations')
      for model in ('deeplab', 'rcnn')),
    ('evaluate.py rcnn.npz --overwrite', '--overwrite applies only with --results'),
    ('evaluate.py click.npz --overwrite', '--overwrite applies only with --results'),
    ('evaluate.py deeplab.npz --overwrite', '--overwrite applies only with --save-labels'),
    (f'evaluate.py rcnn.npz {FILES} --suppression fast', '--suppression is for a YOLACT'),
    (f'evaluate.py deeplab.npz {FILES} --sbd d', '--sbd applies only to a list of images'),
    (f'evaluate.py deeplab.npz {FILES} --class-names a b', '--class-names applies only to a list'),
    ('evaluate.py click.npz --crf-parameters steps=3', OF_CRF),
    ('evaluate.py click.npz --masks m --n 3', '--n applies only without --annotations, --masks or'),
    *((f'evaluate.py deepmask.npz --proposals p {FILES} {words}',
       f'{words.split()[0]} applies only without --proposals')
      for words in ('--np 3', '--thr 0.3', '--si 1', '--sf 1', '--ss 1', '--zoom', '--dm', '--exact')),
    ('evaluate.py deepmask.npz --n 1 --dm', '--dm asks a SharpMask'),
    ('predict.py deepmask.npz set/images --dm', '--dm asks a SharpMask'),
    (f'compute_proposals.py deepmask.npz {FILES} --out p --dm', '--dm asks a SharpMask'),
    ('predict.py click.npz set/images --pos 3,3 --crf-parameters steps=3', OF_CRF),
    ('predict.py click.npz set/images --pos 3,3 --refine graphcut --crf-parameters steps=3',
     OF_CRF),
    ('predict.py rcnn.npz set/images --frames 3', '--frames applies only to videos'),
    ('predict.py rcnn.npz set/images --no-fps', '--no-fps applies only to videos'),
    ('predict.py rcnn.npz set/images --suppression fast', '--suppression is for a YOLACT'),
    ('predict.py yolact set/images --flip', '--flip is for a Mask R-CNN, and this is a Yolact'),
    (f'evaluate.py yolact {FILES} --soft-nms linear', '--soft-nms is for a Mask R-CNN'),
    ('predict.py rcnn.npz set/images --hide masks --alpha 0.3', '--alpha applies only where masks are'),
    ('predict.py deeplab.npz set/images --frames 3', '--frames applies only to videos'),
    ('predict.py deeplab.npz v.mp4 --save-labels d', '--save-labels applies only to images'),
    ('predict.py deeplab.npz v.mp4 --probabilities', '--probabilities applies only to images'),
    *((f'convert.py w.pth --inspect {words}', f'{words.split()[0]} applies only without --inspect')
      for words in ('-o x.npz', '--config c.json', '--set a=1', '--class-names a', '--half')),
    ('export.py deepmask.npz x.t7 --size 48', '--size is the size in a .prototxt'),
    *((f'sample_clicks.py out {FILES} {words}', f'{words.split()[0]} {WITHOUT_FILES}')
      for words in ('--draw figures', '--n 3', '--val-n 3', '--size 48')),
    ('sample_clicks.py out --images d', '--images applies only with --annotations'),
    ('sample_clicks.py out --val-annotations j', '--val-annotations applies only with --annotations'),
    (f'sample_clicks.py out {FILES} --val-images d', '--val-images applies only with --val-annotations'),
    *((f'make_shapes.py out --kind {kind} {words}', f'{words.split()[0]} applies only with --kind')
      for words, kinds in {
          '--crowds 0.5': ('plain-shapes', 'video', 'plain-video'), '--classes star': ('figures',),
          '--png': ('video', 'plain-video'), '--overwrite': ('video', 'plain-video')}.items()
      for kind in kinds),
    ('make_shapes.py out --plain --crowds 0.5', '--crowds applies only with --kind shapes or figures'),
    ('make_shapes.py out --plain --kind figures', '--plain and --kind exclude each other'),
    ('view_dataset.py --out o --images d', '--images applies only with --annotations'),
    ('view_dataset.py --out o --augment 2 --columns 3', '--columns applies only without --augment'),
    ('view_dataset.py --out o --annotations set.packed --images d', 'contains its images'),
    ('check_dataset.py --annotations set/annotations.json --quick',
     '--quick applies only with --images'),
    ('prepare_dataset.py -train_annotations_file set.packed -val_annotations_file set.packed '
     '-output_dir o -test_image_dir d', '--test_image_dir applies only with --test_annotations_file'),
    ('prepare_dataset.py -train_annotations_file set.packed -val_annotations_file set.packed '
     '-output_dir o --quick', '--quick applies only to COCO files'),
]

# Of each group of options, how it reads them for a model, and each option with a value that changes that.
GROUPS = {
    Detection: (MaskRCNN, {
        '--score': '0.5', '--top_k': '3', '--nms': '0.3', '--soft-nms': 'linear', '--soft-nms-sigma': '0.1',
        '--vote-threshold': '0.8', '--scales': '400 600', '--flip': ''}),
    SemanticInference: (None, {
        '--scales': '1 2', '--msc': '', '--mirror': '', '--crf': 'deeplab,steps=3', '--longest-side': '99'}),
    ProposalOptions: (SharpMask, {
        '--np': '3', '--thr': '0.5', '--si': '-1', '--sf': '0', '--ss': '1', '--zoom': '', '--dm': '',
        '--exact': ''}),
}
CHANGES = [(group, flag, value) for group, (_, table) in GROUPS.items() for flag, value in table.items()]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with models, a data set of two images, and what is a video by its name."""
    folder = tmp_path_factory.mktemp('commands')
    dataset = PlainShapesDataset(2, seed=1, size=(48, 48))
    write_coco(dataset, folder / 'set')
    pack_dataset(dataset, folder / 'set.packed')
    (folder / 'v.mp4').write_bytes(b'')
    tiny = {'blocks': (1, 1, 1, 1), 'width': 2}
    for name, model in {
            'click': ClickSegmenter(**tiny), 'deeplab': DeepLab(7, **tiny, pyramid=(1,)),
            'deepmask': DeepMask(48, 10, 24, (1, 1, 1), 3, bottleneck=4, features=10, hidden=7),
            'rcnn': MaskRCNN(6, 'fpn', **tiny, fpn_channels=4, box_features=6, mask_channels=4)}.items():
        save_model(folder / f'{name}.npz', model)
    return folder


@pytest.mark.parametrize('command, sentence', REFUSED, ids=lambda value: value[:60])
def test_the_option_is_refused_where_it_changes_nothing(
        call_here, folder, monkeypatch, command, sentence):
    monkeypatch.chdir(folder)
    status, _, errors = call_here(*command.split())
    assert status == 2 and sentence in ' '.join(errors.split())


@pytest.mark.parametrize('group, flag, value', CHANGES, ids=str)
def test_the_option_changes_what_the_model_is_asked(group, flag, value):
    kind, _ = GROUPS[group]
    model = [] if kind is None else [kind.__new__(kind)]

    def reached(*words):
        return described(parse(group, words, 'command').settings(*model))
    assert reached() != reached(flag, *value.split())


@pytest.mark.parametrize('group', GROUPS)
def test_every_option_of_the_group_is_in_the_table(group):
    known = {*GROUPS[group][1], '--suppression'}  # The last is refused, or tested with a YOLACT.
    for option in options_of(group):
        assert known & {*option.spellings, f'--{option.name}'}, option.name
