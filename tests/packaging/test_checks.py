"""What continuous integration checks, and what it checks before a commit."""

import yaml


def test_every_pre_commit_hook_is_a_step_of_continuous_integration(repository):
    steps = (repository / '.ci' / 'run').read_text()
    configuration = yaml.safe_load((repository / '.pre-commit-config.yaml').read_text())
    entries = [hook['entry'] for repo in configuration['repos'] for hook in repo['hooks']]
    assert len(entries) == 2
    for entry in entries:
        assert entry.replace('.venv/', '"$ENVIRONMENT/').replace('bin/python', 'bin/python"') in steps


def test_pre_commit_downloads_nothing(repository):
    configuration = yaml.safe_load((repository / '.pre-commit-config.yaml').read_text())
    assert [repo['repo'] for repo in configuration['repos']] == ['local']
