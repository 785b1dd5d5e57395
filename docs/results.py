"""Makes docs/results.jpg, one result of each shipped model, for README.md: python docs/results.py"""

import pathlib

import chainer_seg
from chainer_seg.datasets import PlainShapesDataset
from chainer_seg.models.deeplab import Click
from chainer_seg.visualization import (
    axes_grid, draw_clicks, draw_image, draw_instances, draw_labels, draw_probability)
from skimage import data

OUT = pathlib.Path(__file__).with_name('results.jpg')
SIZE = (192, 256)  # of the synthetic images
TITLES = ('click', 'sharpmask', 'deeplab', 'mask-rcnn', 'yolact')


def draw_results() -> None:
    """Draws an image above the result of each model."""
    coins = data.coins()[:288]
    scene, _ = PlainShapesDataset(length=20, seed=31, size=SIZE, objects=(3, 5))[1]
    objects, _ = PlainShapesDataset(length=20, seed=11, size=SIZE)[3]
    axes = axes_grid(10, columns=5, ratio=0.75, titles=TITLES).reshape(2, 5)
    for ax, image in zip(axes[0], (coins, coins, scene, objects, objects)):
        draw_image(image, ax)
    clicks = [Click(185, 330)]
    draw_probability(coins, chainer_seg.load_model('click').segment(coins, clicks), axes[1, 0])
    draw_clicks(None, clicks, axes[1, 0])
    proposals = chainer_seg.load_model('sharpmask').propose(coins, n=60, nms=0.4)
    draw_instances(coins, proposals[:12], axes[1, 1], labels=False)
    deeplab = chainer_seg.load_model('deeplab')
    labels = deeplab.segment(scene, refinement='tensorflow')
    draw_labels(scene, labels, deeplab.class_names, axes[1, 2], legend=False)
    for ax, name in zip(axes[1, 3:], TITLES[3:]):
        found = chainer_seg.load_model(name).detect(objects, score_threshold=0.6)
        draw_instances(objects, found, ax)
    axes[0, 0].figure.savefig(OUT, dpi=150, pil_kwargs={'quality': 85})


if __name__ == '__main__':
    draw_results()
