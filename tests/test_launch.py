"""The files in docs/launch: their syntax, the options that they name, and numbers that belong together."""

import itertools
import pathlib
import re
import shlex
import subprocess
import tomllib

import pytest
import yaml

from chainer_seg.cli import train

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAUNCH = ROOT / 'docs/launch'
SLURM = (LAUNCH / 'slurm.sh').read_text(encoding='utf-8')
JOB = yaml.safe_load((LAUNCH / 'kubernetes.yaml').read_text(encoding='utf-8'))
REPLICAS = JOB['spec']['mpiReplicaSpecs']
# RUN instructions with their continuation lines.
STEPS = re.findall(r'^RUN ((?:.*\\\n)*.*)$', (LAUNCH / 'Containerfile').read_text(encoding='utf-8'),
                   re.MULTILINE)


def container(role):
    """The only container of the pods of a role."""
    found, = REPLICAS[role]['template']['spec']['containers']
    return found


def commands():
    """The words after mpiexec in the files that start a training."""
    line = SLURM.partition('exec mpiexec')[2].replace('\\\n', ' ')
    launcher = container('Launcher')
    return {'slurm.sh': shlex.split(line), 'kubernetes.yaml': [*launcher['command'][1:], *launcher['args']]}


@pytest.mark.parametrize('name', commands())
def test_a_launch_file_names_a_training_on_several_gpus(name):
    option, _, program, command, system, *arguments = commands()[name]
    assert (option, program, command) == ('-n', 'chainer-seg', 'train')
    run = train.parse(system, arguments).run
    assert (run.communicator, run.resume) == ('pure_nccl', 'auto')


@pytest.mark.parametrize('script', [SLURM, *STEPS])
def test_a_shell_script_has_no_error_of_syntax(script):
    result = subprocess.run(['bash', '-n'], input=script, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, '')


def test_options_of_slurm_come_before_the_first_command():
    head = list(itertools.takewhile(lambda line: line.startswith('#'), SLURM.splitlines()))
    options = [line.removeprefix('#SBATCH ') for line in SLURM.splitlines() if '#SBATCH' in line]
    assert options and all(f'#SBATCH {option}' in head for option in options)
    assert all(re.fullmatch(r'--[a-z-]+(=\S+)?', option) for option in options)
    numbers = dict(option.split('=') for option in options if '=' in option)
    assert numbers['--ntasks-per-node'] == numbers['--gpus-per-node']


def test_the_kubernetes_job_has_what_the_operator_requires():
    assert (JOB['apiVersion'], JOB['kind']) == ('kubeflow.org/v2beta1', 'MPIJob')
    assert JOB['metadata']['name'] and REPLICAS['Launcher']['replicas'] == 1
    ranks = JOB['spec']['slotsPerWorker'] * REPLICAS['Worker']['replicas']
    assert commands()['kubernetes.yaml'][:2] == ['-n', str(ranks)]
    assert container('Worker')['resources']['limits']['nvidia.com/gpu'] == JOB['spec']['slotsPerWorker']


def test_mounted_volumes_are_those_of_the_pod():
    volumes = {volume['name'] for volume in REPLICAS['Worker']['template']['spec']['volumes']}
    assert volumes == {mount['name'] for mount in container('Worker')['volumeMounts']}


def test_a_line_of_the_hosts_is_a_name_and_a_number_of_ranks():
    lines = (LAUNCH / 'hosts.txt').read_text(encoding='utf-8').splitlines()
    assert lines and all(re.fullmatch(r'[\w.-]+:[1-9]\d*', line) for line in lines)


def test_the_image_is_installed_with_extras_that_exist():
    project = tomllib.loads((ROOT / 'pyproject.toml').read_text(encoding='utf-8'))['project']
    extras, = re.findall(r"'/source\[([\w,]+)\]'", '\n'.join(STEPS))
    assert set(extras.split(',')) <= set(project['optional-dependencies'])
