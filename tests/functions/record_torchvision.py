"""Writes torchvision.npz beside this file: the results of torchvision's operators for random inputs.

Run it with an interpreter that has torchvision (Debian: the package python3-torchvision); the numbers
at hand are of torchvision 0.14.1. The tests compare with the file, so they need no torchvision.
"""

import pathlib

import numpy as np

FILE = pathlib.Path(__file__).with_name('torchvision.npz')

SCALE = 0.5
ALIGN = [((3, 4), 2), ((2, 2), 1), ((3, 2), 0)]  # bins, sampling ratio
POOL = [(3, 4), (5, 2)]                          # bins
SUPPRESSION = [0.3, 0.5, 0.7]                    # IoU
DEFORMABLE = [((2, 1), (1, 2), (1, 2))]          # stride, padding, dilation


def random_inputs():
    rng = np.random.default_rng(0)
    corners = rng.uniform(-4, 20, (12, 2))
    rois = np.vstack([np.hstack([corners, corners + rng.uniform(0, 16, (12, 2))]),
                      [[0, 0, 18, 22], [5, 5, 5, 5], [-40, -40, -20, -20], [-1, -1, 30, 30]]])
    corners = rng.uniform(0, 60, (200, 2))
    inputs = {
        'maps': rng.permutation(2 * 3 * 9 * 11).reshape(2, 3, 9, 11) / 100, 'rois': rois,
        'boxes': np.hstack([corners, corners + rng.uniform(6, 25, (200, 2))]),
        'scores': rng.permutation(200), 'weights': rng.standard_normal((4, 3, 3, 3)),
        'bias': rng.standard_normal(4)}
    inputs = {name: array.astype(np.float32) for name, array in inputs.items()}
    inputs['indices'] = rng.integers(0, 2, len(rois)).astype(np.int32)
    inputs['labels'] = rng.integers(0, 4, 200).astype(np.int32)
    return inputs, rng


def main():
    import torch
    import torchvision.ops as ops

    inputs, rng = random_inputs()
    recorded = dict(inputs)

    def record(name, call, *arrays):
        """The output of ``call`` on the arrays, a random gradient of it and those of the arrays."""
        tensors = [torch.from_numpy(array).requires_grad_() for array in arrays]
        output = call(*tensors)
        gradient = rng.standard_normal(output.shape).astype(np.float32)
        output.backward(torch.from_numpy(gradient))
        recorded[name], recorded[f'{name}/gradient'] = output.detach().numpy(), gradient
        for number, tensor in enumerate(tensors):
            recorded[f'{name}/gradient{number}'] = tensor.grad.numpy()

    # torchvision's boxes are x_min, y_min, x_max, y_max, its RoIs begin with the image's number.
    boxes = torch.from_numpy(inputs['boxes'][:, [1, 0, 3, 2]])
    rois = torch.from_numpy(np.hstack([inputs['indices'][:, None].astype(np.float32),
                                       inputs['rois'][:, [1, 0, 3, 2]]]))
    scores, labels = torch.from_numpy(inputs['scores']), torch.from_numpy(inputs['labels'])
    for number, (size, ratio) in enumerate(ALIGN):
        record(f'align{number}', lambda x, size=size, ratio=ratio: ops.roi_align(
            x, rois, size, SCALE, ratio), inputs['maps'])
    for number, size in enumerate(POOL):
        record(f'pool{number}', lambda x, size=size: ops.roi_pool(x, rois, size, SCALE),
               inputs['maps'])
    for number, threshold in enumerate(SUPPRESSION):
        recorded[f'nms{number}'] = ops.nms(boxes, scores, threshold).numpy()
        recorded[f'batched{number}'] = ops.batched_nms(boxes, scores, labels, threshold).numpy()
    for number, (stride, pad, dilation) in enumerate(DEFORMABLE):
        size = [(length + 2 * p - 2 * d - 1) // s + 1 for length, p, d, s in zip(
            (9, 11), pad, dilation, stride)]
        offset = rng.normal(0, 2, (2, 18, *size)).astype(np.float32)
        mask = rng.uniform(0, 1, (2, 9, *size)).astype(np.float32)
        recorded[f'deformable{number}/offset'], recorded[f'deformable{number}/mask'] = offset, mask
        record(f'deformable{number}', lambda x, offset, mask, weights, bias, geometry=(
            stride, pad, dilation): ops.deform_conv2d(x, offset, weights, bias, *geometry, mask),
               inputs['maps'], offset, mask, inputs['weights'], inputs['bias'])
    np.savez_compressed(FILE, **recorded)


if __name__ == '__main__':
    main()
