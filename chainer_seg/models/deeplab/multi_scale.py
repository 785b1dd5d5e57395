"""Multi-scale inputs of DeepLab-v2 (arXiv 1606.00915, section 3.3): one network sees several sizes."""



# The logits are those of every eighth pixel.
STRIDE = 8

# Those of the published ResNet-101, in training as in use.
SCALES = (1, 0.75, 0.5)


def multi_scale_logits(model, x, scales=SCALES):
    """The logits of one input at several scales, and their maximum at each position.

    Images and logits are resized as by the Caffe files of the authors: bilinearly, the centres of the
    corner pixels staying where they are, and scaled images having :func:`scaled_size`.

    Args:
        model: A :class:`chainer_seg.models.deeplab.DeepLab`, or what has a ``forward`` like its.
        x: The input of the network, (B, C, H, W) float32 Variable or array.
        scales: Positive numbers.

    Returns:
        tuple: a list of Variables (B, n_class, h, w), the logits of each scale at their own sizes; and
        the fused logits, a Variable of the size that the logits of scale 1 have, or those of the first
        scale where 1 is not among them.
    """
    from chainer import functions as F
    logits = [model.forward(_resized(x, scaled_size(x.shape[2:], scale))) for scale in scales]
    size = logits[scales.index(1) if 1 in scales else 0].shape[2:]
    fused = _resized(logits[0], size)
    for each in logits[1:]:
        fused = F.maximum(fused, _resized(each, size))
    return logits, fused


def scaled_size(size, scale):
    """The (height, width) of an image of this (height, width) at a scale.

    At other scales than 1, sides are multiples of eight and one more, as in the Caffe files: 321
    pixels become 241 at scale 0.75 and 161 at scale 0.5. So the first and the last logits are those of
    the first and the last pixels, and the logits of all scales lie on each other.
    """
    if scale == 1:
        return tuple(size)
    return tuple(STRIDE * max(1, round(scale * (side - 1) / STRIDE)) + 1 for side in size)


def _resized(x, size):
    from chainer_seg.functions import resize_bilinear
    return x if x.shape[2:] == size else resize_bilinear(x, size)
