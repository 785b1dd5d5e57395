"""The buttons, fields and sliders around the picture of a ClickSegmenter."""

import html
import pathlib

import ipywidgets

from chainer_seg.files import file_names
from chainer_seg.widgets.events import button, row, told
from chainer_seg.widgets.object_list import ObjectList

_LABELS = {'description_width': '76px'}
# A choice of None would be shown as no choice at all.
_NONE = 'none'
_REFINEMENTS = [('none', _NONE), ('graph cut', 'graphcut'), ('dense CRF', 'crf')]


class SegmenterControls:
    """What the user sees around the picture.

    Args:
        segmenter: The :class:`ClickSegmenter` whose methods the controls call.
        folder: What is written in the field of the folder at first.

    Attributes:
        toolbar: Widgets for the row above the picture, a list.
        panel: The widget at its side.
    """

    def __init__(self, segmenter, folder):
        self._segmenter = segmenter
        self._name = ipywidgets.Combobox(
            placeholder='name of the object', layout={'width': '150px'})
        finish = button('Next object', 'check', 'Keep this object and begin the next one (N)',
                        segmenter.finish, '118px', button_style='primary')
        self._previous = button('', 'chevron-left', 'Picture before (,)',
                                lambda: segmenter.go_to(segmenter.number - 1), '34px')
        self._next = button('', 'chevron-right', 'Next picture (.)',
                            lambda: segmenter.go_to(segmenter.number + 1), '34px')
        self._position = ipywidgets.HTML()
        self._pages = row([self._previous, self._position, self._next])
        self.toolbar = [row([self._name, finish]), self._pages]
        self._count = ipywidgets.HTML()
        self._list = ObjectList(told(segmenter.rename), told(segmenter.reopen),
                                told(segmenter.remove))
        self._refinement = _RefinementChoice(segmenter)
        self._folder = ipywidgets.Text(
            str(folder), description='Folder', style=_LABELS, layout={'width': 'auto'})
        self.panel = ipywidgets.VBox(
            [self._count, self._list, *self._sliders(), self._refinement, self._files()],
            layout={'flex': '1 1 270px', 'max_width': '350px'})
        self.panel.add_class('chainer-seg-panel')

    @property
    def name(self):
        """What is written in the field of the object's name."""
        return self._name.value.strip()

    @name.setter
    def name(self, name):
        self._name.value = name

    @property
    def folder(self):
        """What is written in the field of the folder."""
        return self._folder.value.strip() or '.'

    def refresh(self, colors):
        """Shows what the segmenter holds now; ``colors`` (R, 3) are those of its objects."""
        segmenter = self._segmenter
        names, number, objects = segmenter.names, segmenter.number, segmenter.objects
        self._previous.disabled, self._next.disabled = number == 0, number == len(names) - 1
        self._pages.layout.display = None if len(names) > 1 else 'none'
        self._position.value = (f'<span class="chainer-seg-position">{number + 1} of {len(names)}: '
                                f'{html.escape(names[number])}</span>')
        self._count.value = f'<b>Objects</b> ({len(objects)})' if objects else '<b>Objects</b>: none yet'
        self._list.show(objects, colors)
        self._name.options = tuple(dict.fromkeys(
            [*segmenter.class_names, *(each.name for each in objects if each.name)]))
        self._refinement.show(segmenter.refinement)

    def _sliders(self):
        sliders = []
        for name, trait, least, tooltip in (
                ('Opacity', 'opacity', 0, 'Of the masks'),
                ('Threshold', 'threshold', 0.05, 'More likely pixels belong to the object')):
            slider = ipywidgets.FloatSlider(
                getattr(self._segmenter.surface, trait), min=least, max=1 - least, step=0.05,
                description=name, tooltip=tooltip, readout_format='.2f', style=_LABELS,
                layout={'width': 'auto'})
            # In the browser, so that masks follow while the slider is moved and Python computes.
            ipywidgets.jslink((slider, 'value'), (self._segmenter.surface, trait))
            sliders.append(slider)
        return sliders

    def _files(self):
        segmenter = self._segmenter
        save = ipywidgets.VBox([self._folder, row([
            button('COCO JSON', 'download', 'Objects and images of all pictures',
                   segmenter.save_coco, '120px'),
            button('Masks (PNG)', 'download', 'A black and white picture of each object',
                   segmenter.save_png, '120px')], justify_content='flex-end')])
        path = ipywidgets.Text(placeholder='path of a mask', layout={'flex': '1 1 0', 'min_width': '0'})
        number = ipywidgets.Text(placeholder='object', layout={'width': '64px'},
                                 tooltip='The number of the object in a mask of several objects')
        load = button('Load', 'folder-open', 'Begin the object with this mask; clicks correct it',
                      lambda: self._load_mask(path.value.strip(), number.value), '84px')
        uploads = row([
            _upload('Mask', 'Begin the object with a mask from your computer',
                    lambda name, content: self._load_mask(content, number.value)),
            _upload('Picture', 'Click on a picture from your computer',
                    lambda name, content: segmenter.add_images(
                        {pathlib.Path(*file_names([name])).stem: content}))],
            justify_content='flex-end')
        return ipywidgets.Accordion([save, ipywidgets.VBox([row([path, number, load]), uploads])],
                                    titles=('Save', 'Open'), selected_index=0)

    def _load_mask(self, mask, number):
        """Loads a mask; ``number`` is what is written in the field, of the object in the mask."""
        number = number.strip()
        if number.isdecimal() and len(number) < 10:
            number = int(number)
        # What is not a number is refused by the reader, with the numbers that there are.
        self._segmenter.load_mask(mask, None if number == '' else number)


class _RefinementChoice(ipywidgets.Dropdown):
    """The refinements by name, and one of the user's own once there is one."""

    def __init__(self, segmenter):
        self._segmenter = segmenter
        self._showing = False
        super().__init__(options=_REFINEMENTS, description='Refine by', style=_LABELS,
                         layout={'width': 'auto'})
        self.observe(told(self._choose), 'value')

    def show(self, refinement):
        refinement = _NONE if refinement is None else refinement
        self._showing = True  # New options choose the first one for a moment.
        try:
            if refinement not in dict(self.options).values():
                self.options = [*self.options, ('own', refinement)]
            self.value = refinement
        finally:
            self._showing = False

    def _choose(self, change):
        if not self._showing:
            self._segmenter.refinement = None if change['new'] == _NONE else change['new']


def _upload(text, tooltip, use):
    """A button to upload a picture; ``use(name, content)`` gets the bytes of its file."""
    upload = ipywidgets.FileUpload(accept='image/*', description=text, tooltip=tooltip,
                                   layout={'width': '120px'})

    def receive(change):
        for file in change['new']:
            upload.value = ()  # so that the same file can be given again
            told(use)(file['name'], file['content'])

    upload.observe(receive, 'value')
    return upload
