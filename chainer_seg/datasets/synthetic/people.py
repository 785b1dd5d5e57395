"""Jointed bodies in space: random poses, the outlines of their parts, and COCO's 17 keypoints.

Lengths are fractions of the height of the body. The axes of a body are x to its left, y down and z
forward. After rotation to the viewer they are x and y of the image, and nearness.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.keypoints import PERSON_KEYPOINTS

_SIDES = (('left', 1), ('right', -1))
_CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 20)), np.sin(np.linspace(0, 2 * np.pi, 20))], 1)
_FLESH = 0.05  # Maximum distance behind the middle of a limb at which a joint is still visible.
_BONE = 0.01  # The same for the head, whose keypoints are on its surface.

Joints = dict[str, npt.NDArray]  # the position (3,) of each joint by name


@dataclasses.dataclass(frozen=True)
class BodyPart:
    """A part of a body as seen from the viewer.

    Attributes:
        contour: (N, 2) float, x and y.
        nearness: z of its middle; nearer parts cover farther ones.
        garment: Its material: 'skin', 'shade', 'eye', 'hair', 'shirt', 'trousers' or 'shoe'.
        joints: Names of the keypoints that belong to it, which it never hides.
        flesh: It hides keypoints that are farther than this behind its middle.
    """

    contour: npt.NDArray
    nearness: float
    garment: str
    joints: tuple[str, ...] = ()
    flesh: float = _FLESH


@dataclasses.dataclass(frozen=True)
class Body:
    """A posed body: its parts from far to near, and its keypoints (17, 3) as x, y and nearness."""

    parts: list[BodyPart]
    keypoints: npt.NDArray


def random_body(rng: np.random.Generator) -> Body:
    """A body of random build, clothing, pose and direction.

    Args:
        rng: Source of all randomness.

    Returns:
        A body with a height of about 1 when standing, and its hips at the origin.
    """
    joints = _pose(rng)
    view = _view(rng)
    seen = {name: place @ view.T for name, place in joints.items()}
    stoutness = np.exp(rng.normal(0, 0.18))
    parts = [*_trunk(seen, stoutness), *_arms(rng, seen, stoutness), *_legs(rng, seen, stoutness),
             *_head(rng, seen)]
    return Body(sorted(parts, key=lambda part: part.nearness),
                np.stack([seen[name] for name in PERSON_KEYPOINTS]))


def _turn(angle: float, axis: int) -> npt.NDArray:
    """The rotation (3, 3) about the axis 0 (x), 1 (y) or 2 (z) by an angle in radians."""
    vector = np.zeros(3)
    vector[axis] = angle
    return cv2.Rodrigues(vector)[0]


def _view(rng: np.random.Generator) -> npt.NDArray:
    """The rotation of a body: mostly upright, often facing the viewer, rarely lying."""
    yaw = rng.normal(0, 0.5) if rng.random() < 0.5 else rng.uniform(-np.pi, np.pi)
    roll = rng.normal(0, 0.12) if rng.random() < 0.92 else rng.uniform(-np.pi, np.pi)
    return _turn(roll, 2) @ _turn(rng.normal(0, 0.12), 0) @ _turn(yaw, 1)


def _pose(rng: np.random.Generator) -> Joints:
    """The joints of a random pose: the keypoints and other points that parts are attached to."""
    build = np.exp(rng.normal(0, 0.06, 6))
    trunk = _turn(rng.normal(0.08, 0.2), 0) @ _turn(rng.normal(0, 0.1), 2)
    joints = {'neck': trunk @ [0, -0.30 * build[0], 0], 'pelvis': np.zeros(3)}
    sits = rng.random() < 0.2
    for side, sign in _SIDES:
        joints[f'{side}_shoulder'] = trunk @ [sign * 0.115 * build[1], -0.275 * build[0], 0]
        joints[f'{side}_hip'] = np.array([sign * 0.07 * build[1], 0, 0])
        _pose_arm(rng, joints, side, sign, trunk, build[2:4])
        _pose_leg(rng, joints, side, sign, sits, build[4:])
    _pose_head(rng, joints, trunk)
    return joints


def _direction(swing: float, spread: float, sign: int) -> npt.NDArray:
    """The unit vector of a limb that hangs down, swung forward and spread to its side."""
    return np.array([sign * np.sin(spread), np.cos(spread) * np.cos(swing),
                     np.cos(spread) * np.sin(swing)])


def _pose_arm(rng: np.random.Generator, joints: Joints, side: str, sign: int, trunk: npt.NDArray,
              build: npt.NDArray) -> None:
    swing, spread = rng.normal(0.2, 0.6), abs(rng.normal(0.1, 0.5))
    if rng.random() < 0.2:
        swing, spread = rng.uniform(-0.3, 3.0), rng.uniform(0.3, 2.6)
    bend, inward = abs(rng.normal(0.3, 0.8)), rng.normal(0.1, 0.4)
    upper = trunk @ _direction(swing, spread, sign)
    lower = trunk @ _direction(swing + min(bend, 2.5), spread - inward, sign)
    joints[f'{side}_elbow'] = joints[f'{side}_shoulder'] + 0.165 * build[0] * upper
    joints[f'{side}_wrist'] = joints[f'{side}_elbow'] + 0.145 * build[1] * lower
    joints[f'{side}_hand'] = joints[f'{side}_wrist'] + 0.035 * lower


def _pose_leg(rng: np.random.Generator, joints: Joints, side: str, sign: int, sits: bool,
              build: npt.NDArray) -> None:
    swing, spread = rng.normal(0.1, 0.35), abs(rng.normal(0.05, 0.15))
    bend = abs(rng.normal(0, 0.4))
    if sits:
        swing, bend = rng.normal(1.4, 0.2), rng.normal(1.4, 0.3)
    upper, lower = _direction(swing, spread, sign), _direction(swing - bend, spread * 0.6, sign)
    joints[f'{side}_knee'] = joints[f'{side}_hip'] + 0.245 * build[0] * upper
    joints[f'{side}_ankle'] = joints[f'{side}_knee'] + 0.235 * build[1] * lower
    foot = _direction(swing - bend + 1.3, 0.15, sign)
    joints[f'{side}_toe'] = joints[f'{side}_ankle'] + 0.075 * foot


def _pose_head(rng: np.random.Generator, joints: Joints, trunk: npt.NDArray) -> None:
    turn = trunk @ _turn(rng.normal(0, 0.35), 1) @ _turn(rng.normal(0, 0.2), 0)
    size = np.exp(abs(rng.normal(0, 0.2)))
    centre = joints['neck'] + turn @ [0, -0.055 - 0.055 * size, 0.01]
    places: dict[str, tuple[float, float, float]] = {
        'head': (0, 0, 0), 'hair': (0, -0.03, -0.028), 'nose': (0, 0.012, 0.068),
              'mouth': (0, 0.042, 0.058)}
    for side, sign in _SIDES:
        places[f'{side}_eye'] = (sign * 0.026, -0.012, 0.058)
        places[f'{side}_ear'] = (sign * 0.06, 0.004, 0)
    for name, place in places.items():
        joints[name] = centre + size * (turn @ place)
    joints['chin'] = centre + size * (turn @ [0, 0.02, 0.01])


def _hull(places: Sequence[npt.NDArray], radii: Sequence[float] | npt.NDArray) -> npt.NDArray:
    """The outline (N, 2) of the convex hull of circles at places (M, 3)."""
    points = np.concatenate([place[:2] + _CIRCLE * radius for place, radius in zip(places, radii)])
    return cv2.convexHull(points.astype(np.float32))[:, 0].astype(float)


def _part(joints: Joints, names: Sequence[str], radii: Sequence[float] | npt.NDArray, garment: str,
          keypoints: tuple[str, ...] = (), lift: float = 0.0, flesh: float = _FLESH) -> BodyPart:
    places = [joints[name] for name in names]
    return BodyPart(_hull(places, radii), np.mean([place[2] for place in places]) + lift, garment,
                    keypoints, flesh)


def _trunk(joints: Joints, stoutness: float) -> Iterator[BodyPart]:
    shoulders, hips = (('left_shoulder', 'right_shoulder'), ('left_hip', 'right_hip'))
    yield _part(joints, (*shoulders, 'neck', *hips),
                np.array([0.045, 0.045, 0.03, 0.055, 0.055]) * stoutness, 'shirt')
    yield _part(joints, (*hips, 'pelvis'), np.array([0.062, 0.062, 0.062]) * stoutness, 'trousers',
                hips, 0.01)
    yield _part(joints, ('neck', 'chin'), (0.036, 0.03), 'skin')


def _arms(rng: np.random.Generator, joints: Joints, stoutness: float) -> Iterator[BodyPart]:
    sleeve = rng.choice(['long', 'short', 'none'], p=[0.5, 0.35, 0.15])
    for side, _ in _SIDES:
        shoulder, elbow, wrist, hand = (
            f'{side}_{name}' for name in ('shoulder', 'elbow', 'wrist', 'hand'))
        # A little nearer than the trunk, because arms are beside or in front of it.
        yield _part(joints, (shoulder, elbow), np.array([0.036, 0.029]) * stoutness,
                    'skin' if sleeve == 'none' else 'shirt', (shoulder, elbow), 0.03)
        yield _part(joints, (elbow, wrist), np.array([0.028, 0.021]) * stoutness,
                    'shirt' if sleeve == 'long' else 'skin', (elbow, wrist), 0.035)
        yield _part(joints, (wrist, hand), np.array([0.02, 0.024]), 'skin', (wrist,), 0.036)


def _legs(rng: np.random.Generator, joints: Joints, stoutness: float) -> Iterator[BodyPart]:
    has_shorts = rng.random() < 0.3
    for side, _ in _SIDES:
        hip, knee, ankle, toe = (f'{side}_{name}' for name in ('hip', 'knee', 'ankle', 'toe'))
        yield _part(joints, (hip, knee), np.array([0.056, 0.042]) * stoutness, 'trousers',
                    (hip, knee))
        yield _part(joints, (knee, ankle), np.array([0.041, 0.028]) * stoutness,
                    'skin' if has_shorts else 'trousers', (knee, ankle))
        yield _part(joints, (ankle, toe), (0.03, 0.022), 'shoe', (ankle,), 0.001)


def _head(rng: np.random.Generator, joints: Joints) -> Iterator[BodyPart]:
    """The head, its hair, and the parts of the face that are on the side of the viewer."""
    size = np.linalg.norm(joints['nose'] - joints['head']) / np.hypot(0.012, 0.068)
    up = (joints['head'] - joints['chin'])[:2]
    crown = joints['head'] + np.append(up, 0) * 0.8
    yield BodyPart(_hull([joints['head'], joints['chin'], crown], size * np.array([.06, .05, .056])),
                   joints['head'][2], 'skin', flesh=_BONE)
    if rng.random() < 0.9:
        long = rng.random() < 0.4
        hanging = joints['hair'] - np.append(up, 0) * (rng.uniform(2, 6) if long else 0.3)
        yield BodyPart(_hull([joints['hair'], hanging], size * np.array([0.066, 0.05])),
                       joints['hair'][2], 'hair', flesh=_BONE)
    for name, garment, radius in (('left_ear', 'shade', 0.014), ('right_ear', 'shade', 0.014),
                                  ('left_eye', 'eye', 0.010), ('right_eye', 'eye', 0.010),
                                  ('nose', 'shade', 0.011), ('mouth', 'shade', 0.013)):
        if joints[name][2] > joints['head'][2] - _BONE * size:
            yield BodyPart(_hull([joints[name]], [radius * size]),
                           joints[name][2] + 0.02 * size, garment, (name,), flesh=1.0)
