"""Makes a damaged file of a good one, the same one for the same random numbers.

The kinds of damage: what disks and networks do (bits, cuts, doubled and lost parts), what other programs
do (values of other types, sizes and names, other encodings), and what somebody does on purpose (lengths
that lie, entries of archives changed and their checksums made right again).
"""

from tests.fuzz.archives import (
    change_npy, change_packed, change_png, change_records, change_sqlite, change_zip)
from tests.fuzz.mutation import (
    change_bytes, change_json, change_json_lines, change_text, change_toml)

KINDS = {'bytes': change_bytes, 'json': change_json, 'json lines': change_json_lines,
         'toml': change_toml, 'text': change_text, 'npy': change_npy, 'zip': change_zip,
         'packed': change_packed, 'records': change_records, 'png': change_png, 'sqlite': change_sqlite}


def mutated(data, kind, rng, others=()):
    """Another version of ``data``.

    Args:
        data: The bytes of a good file.
        kind: What it is: a key of :data:`KINDS`.
        rng: A ``random.Random``.
        others: Other good files, of which parts may be taken.
    """
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        change = change_bytes if rng.random() < 0.2 else KINDS[kind]
        try:
            data = change(data, rng, others)
        except Exception:  # The change before left something that no parser of ours knows.
            data = change_bytes(data, rng, others)
    return data
