"""Messages declared in lines: they parse what the protobuf library's own classes of the same .proto wrote."""

import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.message import DecodeError

from chainer_seg.protobuf_messages import message_classes

# Parts of google/protobuf/descriptor.proto.
DECLARATIONS = {
    'EnumValueDescriptorProto': ['string name = 1', 'int32 number = 2'],
    'EnumDescriptorProto': ['string name = 1', 'repeated EnumValueDescriptorProto value = 2',
                            'repeated string reserved_name = 5']}


def test_messages_have_the_declared_fields():
    written = descriptor_pb2.EnumDescriptorProto(
        name='Color', reserved_name=['RED', 'BLUE'],
        value=[descriptor_pb2.EnumValueDescriptorProto(name='GREEN', number=-3)])
    parsed = message_classes(DECLARATIONS)['EnumDescriptorProto'].FromString(written.SerializeToString())
    assert (parsed.name, list(parsed.reserved_name)) == ('Color', ['RED', 'BLUE'])
    assert [(each.name, each.number) for each in parsed.value] == [('GREEN', -3)]


def test_fields_that_are_not_declared_are_ignored():
    written = descriptor_pb2.FieldDescriptorProto(name='x', number=2, type_name='ignored')
    parsed = message_classes(DECLARATIONS)['EnumValueDescriptorProto'].FromString(written.SerializeToString())
    assert parsed.name == 'x' and parsed.number == 0


def test_presence_of_scalars_is_known_in_proto2():
    kind = message_classes(DECLARATIONS, syntax='proto2')['EnumValueDescriptorProto']
    assert kind.FromString(b'\x10\0').HasField('number') and not kind.FromString(b'').HasField('number')


def test_truncated_message_is_an_error():
    with pytest.raises(DecodeError):
        message_classes(DECLARATIONS)['EnumDescriptorProto'].FromString(b'\x0a\5ab')
