import signal
import subprocess
import sys
import threading

import pytest

from chainer_seg import command_line
from chainer_seg.errors import UserError


def fail_with(error):
    def main():
        raise error
    return main


def test_user_error_is_a_sentence_and_status_2(capsys):
    with pytest.raises(SystemExit) as end:
        command_line.run(fail_with(UserError('The thing is broken; mend it.')))
    assert end.value.code == 2
    assert capsys.readouterr().err == 'error: The thing is broken; mend it.\n'


def test_interruption_is_status_130():
    with pytest.raises(SystemExit) as end:
        command_line.run(fail_with(KeyboardInterrupt()))
    assert end.value.code == 130


def test_other_errors_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        command_line.run(fail_with(ZeroDivisionError()))


def test_success_returns():
    assert command_line.run(lambda: None) is None


def test_sigterm_is_status_143_with_what_is_said_of_it(capsys):
    def main():
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt as interrupt:
            raise type(interrupt)('2 of 3 images are done') from interrupt
    with pytest.raises(SystemExit) as end:
        command_line.run(main)
    assert end.value.code == 143
    assert capsys.readouterr().err == 'terminated: 2 of 3 images are done\n'


def test_sigterm_that_a_library_turns_into_an_interruption_is_status_143():
    def main():
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise KeyboardInterrupt from None
    with pytest.raises(SystemExit) as end:
        command_line.run(main)
    assert end.value.code == 143


def test_sigterm_that_pythons_parser_turns_into_a_system_error_is_status_143(capsys):
    def main():
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise SystemError('AST constructor recursion depth mismatch') from None
    with pytest.raises(SystemExit) as end:
        command_line.run(main)
    assert end.value.code == 143 and capsys.readouterr().err == 'terminated\n'
    with pytest.raises(SystemError, match='another'):
        command_line.run(fail_with(SystemError('another')))


def test_handlers_of_signals_are_as_before_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    command_line.run(lambda: None)
    assert signal.getsignal(signal.SIGTERM) is before


def test_commands_run_in_threads_too():
    thread = threading.Thread(target=command_line.run, args=(lambda: done.append(1),))
    done = []
    thread.start()
    thread.join()
    assert done == [1]


def test_an_unhandled_sigterm_ends_a_program_with_143_and_no_traceback(repository):
    code = ('from chainer_seg.signals import *; import signal\n'
            'def stop(number, frame): raise Terminated\n'
            'with handled(stop, (signal.SIGTERM,)): signal.raise_signal(signal.SIGTERM)')
    result = subprocess.run([sys.executable, '-c', code], cwd=repository, capture_output=True, text=True)
    assert result.returncode == 143 and result.stderr == ''
