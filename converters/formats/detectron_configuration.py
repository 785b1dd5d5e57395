"""The configuration in a Detectron file: YAML with Python tags, parsed without creating objects."""

import os
from typing import Any

import numpy as np
import yaml

from chainer_seg.errors import WeightFileError
from converters.formats.pickled_arrays import Budget, numpy_names
from converters.formats.pickle_values import Unfinished, plain_key

_LONGEST = 200_000  # Characters; genuine ones have some 8,000.
_MOST_BRACKETS = 1000  # Genuine ones have 54; PyYAML takes seconds for deeply nested ones.
_MOST_VALUES = 20_000  # Aliased values count each time.
_PYTHON = 'tag:yaml.org,2002:python/'
_DICTS = tuple(f'{_PYTHON}object/new:{module}.AttrDict'
               for module in ('detectron.utils.collections', 'utils.collections'))
_SEQUENCES = {'tag:yaml.org,2002:seq': list, f'{_PYTHON}list': list, f'{_PYTHON}tuple': tuple}
_MAPPINGS = ('tag:yaml.org,2002:map', f'{_PYTHON}dict')
_SCALARS = {'unicode': 'str', 'str': 'str', 'int': 'int', 'long': 'int', 'float': 'float',
            'bool': 'bool', 'none': 'null'}  # Python's names, and YAML's.


def parse(text: str, path: str | os.PathLike, budget: Budget) -> dict[str, Any]:
    """Reads the text of a configuration.

    Args:
        text: YAML as written by PyYAML for Detectron under Python 2.
        path: The file that contains it, for messages.
        budget: The :class:`~converters.formats.pickled_arrays.Budget` of that file.

    Returns:
        Nested dicts, lists, tuples, text, numbers, bools and None. Arrays are lists.

    Raises:
        chainer_seg.errors.WeightFileError: The text is not YAML, too long, or has a tag that does not
            occur in Detectron's configurations.
    """
    if len(text) > _LONGEST:
        raise WeightFileError(f'{path} has a configuration of {len(text)} characters; the maximum is '
                              f'{_LONGEST}.')
    if text.count('[') + text.count('{') > _MOST_BRACKETS:
        raise WeightFileError(f'{path} has a configuration of more than {_MOST_BRACKETS} lists and mappings, '
                              f'the maximum.')
    try:
        return _Reader(budget).mapping(yaml.compose(text, yaml.SafeLoader))
    except (yaml.YAMLError, TypeError, ValueError, LookupError, OverflowError, RecursionError) as error:
        reason = ' '.join(str(error).split())
        raise WeightFileError(f'{path} has a configuration that cannot be read: {reason}.') from error


class _Reader:
    """Turns YAML's nodes into plain values."""

    def __init__(self, budget: Budget) -> None:
        self.left = _MOST_VALUES
        self.names = numpy_names(budget)
        self.safe = yaml.constructor.SafeConstructor()

    def mapping(self, node: yaml.Node | None) -> dict[str, Any]:
        """The value of a node, which must be a dict."""
        value = self._value(node)
        if not isinstance(value, dict):
            raise TypeError(f'it is a {type(value).__name__}, expected a mapping')
        return value

    def _value(self, node: yaml.Node) -> Any:
        self.left -= 1
        if self.left < 0:
            raise ValueError(f'it has more than {_MOST_VALUES} values, including repetitions by aliases')
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if isinstance(node, yaml.SequenceNode) and node.tag in _SEQUENCES:
            return _SEQUENCES[node.tag](map(self._value, node.value))
        if isinstance(node, yaml.MappingNode) and node.tag in _MAPPINGS:
            return {plain_key(self._value(key)): self._value(value) for key, value in node.value}
        if isinstance(node, yaml.MappingNode) and node.tag in _DICTS:
            items = self._parts(node).get('dictitems')
            return {} if items is None else self.mapping(items)
        if node is not None and node.tag.startswith(f'{_PYTHON}object/apply:'):
            return self._made(node)
        raise ValueError('it is empty' if node is None else f'its tag {node.tag} is unknown')

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        if node.tag.startswith(f'{_PYTHON}name:'):
            return self._named(node, 'name:')
        if node.tag.startswith(_PYTHON):
            kind = _SCALARS.get(node.tag.removeprefix(_PYTHON))
            if kind is None:
                raise ValueError(f'its tag {node.tag} is unknown')
            node = yaml.ScalarNode(f'tag:yaml.org,2002:{kind}', node.value, node.start_mark)
        return self.safe.construct_object(node)

    def _named(self, node: yaml.Node, kind: str) -> Any:
        name = node.tag.removeprefix(_PYTHON + kind)
        if name not in self.names:
            raise ValueError(f'it requests {name}, which no configuration needs; nothing in it was run')
        return self.names[name]

    def _made(self, node: yaml.MappingNode | yaml.SequenceNode) -> Any:
        """A NumPy number or array, from its arguments and its state."""
        function = self._named(node, 'object/apply:')
        if isinstance(node, yaml.SequenceNode):
            value, state = function(*map(self._value, node.value)), None
        else:
            parts = self._parts(node)
            value, state = function(*self._value(parts['args'])), parts.get('state')
        if isinstance(value, Unfinished):
            value = value.finish(self._value(state))
        return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value

    @staticmethod
    def _parts(node: yaml.MappingNode) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            raise TypeError(f'its tag {node.tag} is not followed by a mapping')
        return {key.value: value for key, value in node.value}
