"""A small SharpMask and synthetic images for it."""

from chainer_seg import save_model
from chainer_seg.datasets import ShapesDataset, write_coco
from chainer_seg.models.deepmask import SharpMask


def write_small_sharpmask(folder, images):
    """Writes model.npz and data/, a COCO data set of ``images`` images, into a folder."""
    save_model(folder / 'model.npz', SharpMask(
        patch_size=32, mask_size=16, blocks=(1, 1, 1), width=4, bottleneck=8, features=16, hidden=16,
        mask_channels=16, skip_channels=8))
    write_coco(ShapesDataset(images, seed=3, size=(96, 128)), folder / 'data')
