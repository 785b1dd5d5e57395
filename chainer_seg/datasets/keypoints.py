"""The 17 keypoints of a person as COCO numbers them: names, the lines between them, and mirroring."""

PERSON_KEYPOINTS = (
    'nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'left_shoulder', 'right_shoulder',
    'left_elbow', 'right_elbow', 'left_wrist', 'right_wrist', 'left_hip', 'right_hip', 'left_knee',
    'right_knee', 'left_ankle', 'right_ankle')

# Pairs of keypoint numbers from 0 (COCO's files count from 1).
PERSON_SKELETON = (
    (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8),
    (7, 9), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6))

# PERSON_MIRROR[k] is the keypoint that k becomes when the image is flipped: left and right swap.
PERSON_MIRROR = tuple(
    PERSON_KEYPOINTS.index(
        name.replace('left', 'right') if 'left' in name else name.replace('right', 'left'))
    for name in PERSON_KEYPOINTS)
