"""The build backend of this folder is shared with its neighbour and lies one folder up."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from pure_wheel import build_editable, build_wheel  # noqa: E402, F401
