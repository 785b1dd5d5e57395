"""Options of every subcommand: the seed, the device and how much is printed."""

import dataclasses
import logging
import sys
from typing import Annotated, Literal

from tyro.conf import arg

from chainer_seg.recipes.options import Switch, option

# Passed to chainer_seg.bad_images.BadImages.
Strict = Annotated[Switch, arg(help='Stop at the first image that cannot be read; by default such images are '
                                    'skipped and listed at the end, with exit status 2.')]


@dataclasses.dataclass(frozen=True)
class Output:
    """Messages.

    Attributes:
        verbose: Print more.
        quiet: Only print warnings and errors.
    """

    verbose: Annotated[Switch, option('-v')] = False
    quiet: Annotated[Switch, option('-q')] = False

    def set_up(self) -> None:
        """Sends the log to standard output at the level that the options ask for."""
        level = logging.WARNING if self.quiet else logging.DEBUG if self.verbose else logging.INFO
        logging.basicConfig(level=level, format='%(message)s', stream=sys.stdout, force=True)
        # Libraries below log what only their authors need.
        for name in ('matplotlib', 'PIL', 'fontTools', 'h5py'):
            logging.getLogger(name).setLevel(logging.WARNING)


@dataclasses.dataclass(frozen=True)
class Common(Output):
    """Common options.

    Attributes:
        seed: Seed of all randomness.
    """

    seed: int = 0


@dataclasses.dataclass(frozen=True)
class CommonOnDevice(Common):
    """Common options.

    Attributes:
        device: Device: cpu, or the number of a GPU; the first GPU if there is one.
    """

    device: Annotated[str | None, option(metavar='D')] = None


@dataclasses.dataclass(frozen=True)
class CommonOfModel(CommonOnDevice):
    """Common options.

    Attributes:
        engine: What computes the network on the CPU; auto is onnxruntime where it is installed.
    """

    engine: Literal['auto', 'chainer', 'onnxruntime'] = 'auto'
