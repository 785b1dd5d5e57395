"""Which names the imitated CuPy has, and what they may be called with."""

import inspect
import json
import os
import pathlib

_TABLE = json.loads((pathlib.Path(__file__).parent
                     / f'names{os.environ.get("STANDIN_CUPY", "14")}.json').read_text())

VERSION = _TABLE['version']
# Name -> [parameter, inspect's number of its kind, whether it may be left out]; None where unknown.
FUNCTIONS = _TABLE['functions']
METHODS = _TABLE['methods']

_KINDS = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD,
          inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.KEYWORD_ONLY,
          inspect.Parameter.VAR_KEYWORD)


def binder(name, parameters, is_method=False):
    """A function that raises TypeError where CuPy's ``name`` cannot be called like this."""
    made = [inspect.Parameter('self', inspect.Parameter.POSITIONAL_ONLY)] if is_method else []
    after_star = False
    for text, kind, optional in parameters:
        # Cython's signatures have keyword-only parameters as ordinary ones behind *args.
        kind = 3 if kind == 1 and after_star else kind
        after_star |= kind == 2
        default = {'default': None} if optional and kind in (0, 1, 3) else {}
        made.append(inspect.Parameter(text, _KINDS[kind], **default))
    signature = inspect.Signature(made)

    def bind(*args, **kwargs):
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f'CuPy {VERSION}: {name}{signature}: {error}') from None
    return bind
