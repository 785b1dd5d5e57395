"""ONNX Runtime as the engine of a model on the CPU."""

import collections
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import chainer
import numpy as np

from chainer_seg.engines.tracing import Network, fill, is_free_of_size, trace
from chainer_seg.models.inference import arrays_of, running_inference

if TYPE_CHECKING:
    import onnx
    import onnxruntime

    from chainer_seg.models.base import Model

log = logging.getLogger(__name__)

# Sessions that are kept: each has a copy of its network's weights. A network whose graph depends on the
# size of the image has one for each size.
SESSIONS = 8

ANY_SIZE = 'any size'  # in the place of the shapes of a network whose graph is the same for all of them

_SUMMED = 64  # words of eight bytes in a sum of the fingerprint

_ERRORS_ONLY = 3  # the level of ONNX Runtime's log


class OnnxRuntime:
    """Runs the networks of one model in ONNX Runtime.

    A network is traced at its first call with a size of the image, in a tenth of a second or so. What
    cannot be traced stays with Chainer, and the log says so once.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._weights: int | None = None  # their fingerprint
        self._checked: tuple[int, int] | None = None  # the inference and the model that it was taken in
        self._forget()

    def run(self, model: 'Model', network: Network, inputs: Sequence[Any]) -> Any:
        """What a network of the model returns; see :func:`chainer_seg.models.inference.network`."""
        self._notice_changes(model)
        arrays = [np.ascontiguousarray(array) for array in arrays_of(inputs)]
        found = self._session(model, network, inputs, arrays)
        if found is None:
            return network(model, *inputs)
        session, template = found
        outputs = session.run(None, {f'input{number}': array for number, array in enumerate(arrays)})
        return fill(template, (chainer.Variable(array, requires_grad=False) for array in outputs))

    def _notice_changes(self, model: 'Model') -> None:
        """Looks once in an inference whether the weights have changed; shallow copies share an engine."""
        number = running_inference()
        checked = None if number is None else (number, id(model))
        with self._lock:
            if checked is None or checked != self._checked:
                weights = _fingerprint(model)
                if weights != self._weights:
                    self._forget()
                self._weights, self._checked = weights, checked

    def _session(self, model: 'Model', network: Network, inputs: Sequence[Any],
                 arrays: Sequence[np.ndarray]) -> 'tuple[onnxruntime.InferenceSession, Any] | None':
        """The session for inputs, and the template of its outputs; None if Chainer has to compute them."""
        shapes = tuple(array.shape[1:] for array in arrays)
        with self._lock:
            if network not in self._graphs:
                self._graphs[network] = {}
            graphs = self._graphs[network]
            key = ANY_SIZE if ANY_SIZE in graphs else shapes
            if key not in graphs:
                graphs[key] = self._traced(model, network, inputs)
            found = graphs[key]
            if found is None:
                return None
            digest, template = found
            if digest not in self._sessions:  # dropped since
                del graphs[key]
                return self._session(model, network, inputs, arrays)
            self._sessions.move_to_end(digest)
            return self._sessions[digest], template

    def _traced(self, model: 'Model', network: Network, inputs: Sequence[Any]) -> tuple[bytes, Any] | None:
        """The digest of a network's graph, of which there is a session, and its template; None without."""
        try:
            graph = trace(model, network, inputs)
        except (ValueError, NotImplementedError) as error:
            log.info('Chainer computes %s.%s, which ONNX Runtime cannot: %s', type(model).__name__,
                     network.__name__, error)
            return None
        digest = graph.digest()
        known = [found for found in self._graphs[network].values() if found and found[0] == digest]
        if known and is_free_of_size(model, network, inputs, digest):
            self._graphs[network][ANY_SIZE] = known[0]
        if digest not in self._sessions:
            self._sessions[digest] = self.start(graph.proto)
            while len(self._sessions) > SESSIONS:
                self._sessions.popitem(last=False)
        return digest, graph.template

    def start(self, proto: 'onnx.ModelProto') -> Any:
        """What runs a graph: an object with the method ``run`` of ONNX Runtime's sessions."""
        return start_session(proto)

    @property
    def session_count(self) -> int:
        """The number of sessions that are kept."""
        return len(self._sessions)

    def _forget(self) -> None:
        # By network and shapes without the first axis.
        self._graphs: dict[Network, dict[Any, tuple[bytes, Any] | None]] = {}
        self._sessions: collections.OrderedDict[bytes, onnxruntime.InferenceSession] = (
            collections.OrderedDict())

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Sessions belong to one process; copies of a model start their own.

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__()  # type: ignore[misc]


def start_session(proto: 'onnx.ModelProto') -> 'onnxruntime.InferenceSession':
    """A session that uses the CPUs of this process, or as many as ``OMP_NUM_THREADS`` says."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = thread_count()
    # Threads that spin after a network has run slow down what decodes its outputs by a factor of two.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    # Both keep memory for further images of the same size, which comes to gigabytes when sizes vary, and
    # saves no time.
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    return onnxruntime.InferenceSession(proto.SerializeToString(), options,
                                        providers=['CPUExecutionProvider'])


def thread_count() -> int:
    """The number of CPUs that this process may use, or what ``OMP_NUM_THREADS`` says."""
    wanted = os.environ.get('OMP_NUM_THREADS', '')
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    # macOS and Windows cannot bind a process to some CPUs.
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def _weights_of(model: 'Model') -> Iterator[np.ndarray]:
    """The parameters, and the statistics and constants that are saved with them."""
    for link in model.links():
        for name in sorted(link._params | set(link._persistent)):
            value = getattr(link, name)
            array = value.array if isinstance(value, chainer.Variable) else value
            if isinstance(array, np.ndarray):
                yield array


def _fingerprint(model: 'Model') -> int:
    """A number that changes with the weights, from sums of their bits, which take milliseconds."""
    total = 0
    for number, array in enumerate(_weights_of(model)):
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        whole = data.size // 8 * 8
        words = data[:whole].view(np.uint64)
        # Sums of parts, so that exchanged rows or channels are noticed as well.
        sums = np.add.reduceat(words, np.arange(0, len(words), _SUMMED)) if len(words) else words
        total = hash((total, number, sums.tobytes(), data[whole:].tobytes()))
    return total
