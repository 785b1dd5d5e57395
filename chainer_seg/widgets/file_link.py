"""A link to download a file that the kernel wrote."""

import base64
import html
import os
import pathlib
import urllib.parse

import ipywidgets

from chainer_seg.errors import UserError, shortened

_MAX_EMBEDDED = 4_000_000  # bytes of a file that may be embedded in the page


def file_link(path: str | os.PathLike) -> ipywidgets.DOMWidget:
    """A widget with a link to a file.

    For a file in the working folder or below, of any size, the link points to the Jupyter server. A
    small file elsewhere is embedded in the link; for a large one, only its path is shown.

    Raises:
        chainer_seg.errors.UserError: There is no such file.
    """
    if not os.path.isfile(path):
        raise UserError(f'There is no file {shortened(str(path))} to link to; check the path.')
    path = pathlib.Path(path)
    size = path.stat().st_size
    about = f'{html.escape(path.name)} ({size / 1e6:.1f} MB)'
    try:
        below = path.resolve().relative_to(pathlib.Path.cwd())
    except ValueError:
        if size > _MAX_EMBEDDED:
            return ipywidgets.HTML(f'{about}: {html.escape(str(path))}')
        data = base64.b64encode(path.read_bytes()).decode('ascii')
        return ipywidgets.HTML(_anchor(f'data:application/octet-stream;base64,{data}', path.name, about))
    # JupyterLab resolves relative links against its server only within an output.
    link = _anchor(urllib.parse.quote(below.as_posix()), path.name, about)
    return ipywidgets.Output(outputs=({'output_type': 'display_data', 'metadata': {}, 'data': {
        'text/html': link, 'text/plain': about}},))


def _anchor(address: str, name: str, about: str) -> str:
    return f'<a href="{address}" download="{html.escape(name)}">Download {about}</a>'
