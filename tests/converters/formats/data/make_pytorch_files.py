"""Writes the .pth files of this folder: python make_pytorch_files.py. Needs PyTorch; 1.13 wrote them."""

import torch

TYPES = ('float64', 'float32', 'float16', 'bfloat16', 'int64', 'int32', 'int16', 'int8', 'uint8', 'bool',
         'complex64', 'complex128')


def types():
    """Six numbers of each type, -1.5 and up, in (2, 3)."""
    numbers = torch.arange(6).reshape(2, 3) - 1.5
    return {name: (numbers.abs() if name == 'uint8' else numbers).to(getattr(torch, name))
            for name in TYPES}


def shared():
    """Tensors that are windows of one storage, in a checkpoint with other values."""
    base = torch.arange(24.).reshape(4, 6)
    windows = {'base': base, 'again': base, 'part': base[1:3, 1::2], 'transposed': base.t(),
               'expanded': base[0, 5].expand(2, 3), 'empty': torch.zeros(0, 3), 'scalar': base[3, 5],
               'parameter': torch.nn.Parameter(base[2])}
    return {'state_dict': windows, 'epoch': 7, 'rate': 0.25, 'best': None, 'done': True,
            'sizes': [base.shape, (1, 2)], 'name': 'naïve'}


def state_dict():
    """A state dict as a module gives it: an OrderedDict with attributes."""
    module = torch.nn.BatchNorm2d(3)
    module.running_mean += torch.arange(3)
    return module.state_dict()


def save(name, value, **options):
    torch.save(value, f'{name}.pth', **options)
    torch.save(value, f'{name}_stream.pth', _use_new_zipfile_serialization=False, **options)


if __name__ == '__main__':
    save('types', types())
    save('shared', shared())
    save('state_dict', state_dict())
    save('module', torch.nn.Linear(2, 3))
    torch.save(shared(), 'protocol_4.pth', pickle_protocol=4)
