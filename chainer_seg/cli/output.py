"""Options of every subcommand that say how much it prints."""

import dataclasses
import logging
import sys
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, arg


@dataclasses.dataclass(frozen=True)
class Output:
    """Messages.

    Attributes:
        verbose: Print more.
        quiet: Only print errors.
    """

    verbose: Annotated[FlagCreatePairsOff[bool], arg(aliases=['-v'])] = False
    quiet: Annotated[FlagCreatePairsOff[bool], arg(aliases=['-q'])] = False

    def set_up(self) -> None:
        """Sends the log to standard output at the level that the options ask for."""
        level = logging.ERROR if self.quiet else logging.DEBUG if self.verbose else logging.INFO
        logging.basicConfig(level=level, format='%(message)s', stream=sys.stdout, force=True)
        # Libraries below log what only their authors need.
        for name in ('matplotlib', 'PIL', 'fontTools', 'h5py'):
            logging.getLogger(name).setLevel(logging.WARNING)
