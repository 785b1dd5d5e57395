"""Classes of Protocol Buffers messages, declared in lines like those of a .proto file.

For messages whose .proto no installed package brings as a Python module.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto


def message_classes(declarations: Mapping[str, Sequence[str]], syntax: str = 'proto3') -> dict[str, Any]:
    """Makes the classes of some messages.

    Args:
        declarations: The fields of each message, such as ``{'Dim': ['int64 size = 1'], 'Shape':
            ['repeated Dim dim = 2']}``; a type is a scalar one or a message in ``declarations``. A map is a
            repeated message with the fields ``key = 1`` and ``value = 2``.
        syntax: ``'proto3'``, or ``'proto2'``, where ``HasField`` works for scalars.

    Returns:
        The classes by name; their ``FromString`` raises ``google.protobuf.message.DecodeError``.
    """
    file = descriptor_pb2.FileDescriptorProto(name='messages.proto', package='messages', syntax=syntax)
    for name, fields in declarations.items():
        message = file.message_type.add(name=name)
        for field in fields:
            *repeated, kind, field_name, _, number = field.split()
            is_message = kind in declarations
            message.field.add(
                name=field_name, number=int(number),
                label=_Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL,
                type=_Field.TYPE_MESSAGE if is_message else _Field.Type.Value(f'TYPE_{kind.upper()}'),
                type_name=f'.messages.{kind}' if is_message else None)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f'messages.{name}'))
            for name in declarations}
