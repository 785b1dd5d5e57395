"""An image as the network of DeepLab takes it: as Caffe's ResNets of ImageNet do."""

import numpy as np

# Mean of ImageNet's pixels as Caffe's ResNets expect it, in the order blue, green, red, on 0..255.
CAFFE_MEAN_BGR = (104.00698793, 116.66876762, 122.67891434)


def network_image(image: np.ndarray) -> np.ndarray:
    """An RGB image (H, W, 3) as the network takes it: (3, H, W) float32 BGR minus its mean."""
    bgr = image[:, :, ::-1].astype(np.float32) - np.array(CAFFE_MEAN_BGR, np.float32)
    return bgr.transpose(2, 0, 1)
