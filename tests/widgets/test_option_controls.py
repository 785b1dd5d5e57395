"""Every field of every recipe has a control, which says what the field sets and gives its value back."""

import ipywidgets
import pytest

from chainer_seg.recipes import SYSTEMS, Run, recipe_class
from chainer_seg.widgets.option_controls import OptionControls, descriptions


@pytest.mark.parametrize('system', SYSTEMS)
def test_controls_of_a_recipe_give_the_recipe_back(system):
    form = recipe_class(system)
    for recipe in (form(), *map(form.load, form.published())):
        tables = {name: OptionControls(getattr(recipe, name)).values for name in form.sections()}
        assert form.from_tables(tables, 'The recipe') == recipe


@pytest.mark.parametrize('form', [
    *(section for system in SYSTEMS for section in recipe_class(system).sections().values()),
    *(recipe_class(system).data for system in SYSTEMS), Run])
def test_every_control_says_what_it_sets(form):
    controls = OptionControls(form()).controls
    assert controls and set(controls) <= set(descriptions(form))
    assert all(control.tooltip for control in controls.values())


def test_the_kind_of_a_control_follows_from_the_type():
    recipe = recipe_class('mask-rcnn')()
    controls = OptionControls(recipe.training).controls
    assert isinstance(controls['iterations'], ipywidgets.IntText)
    assert isinstance(controls['lr'], ipywidgets.FloatText)
    assert isinstance(controls['half'], ipywidgets.Checkbox)
    assert controls['optimizer'].options == (('adam', 'adam'), ('momentum', 'momentum'))
