"""Reads and writes videos frame by frame, and runs a detector on them while both overlap."""

from chainer_seg.video.annotation import annotate_frames, annotate_video, detect_frames
from chainer_seg.video.reader import VideoReader
from chainer_seg.video.writer import VIDEO_SUFFIXES, VideoWriter, write_video

__all__ = ['VIDEO_SUFFIXES', 'VideoReader', 'VideoWriter', 'annotate_frames', 'annotate_video',
           'detect_frames', 'write_video']
