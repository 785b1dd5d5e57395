"""Running the commands that install things."""

import subprocess


def run(*command, **options):
    """The standard output of a command; an error if it fails."""
    return subprocess.run([str(part) for part in command], check=True, text=True, capture_output=True,
                          **options).stdout
