"""A network of somebody else's package, by import path and arguments."""

import sys

import pytest
import torch
from torch import nn

from histoloom.errors import InputError
from histoloom.networks import build_network, encoder_of, load_model, save_model

LAB = '''
import torch
from torch import nn

class Net(nn.Module):
    """A 1x1 convolution that prints, with an encoder before it."""
    def __init__(self, classes, width=4, name="plain", bias=True):
        super().__init__()
        print("hello from the lab")
        if width < 1:
            raise ValueError("width must be positive")
        self.name = name
        self.encoder = nn.Conv2d(3, width, 1)
        self.head = nn.Conv2d(width, classes, 1, bias=bias)
    def forward(self, images):
        return self.head(self.encoder(images))

class Several(Net):
    def forward(self, images):
        logits = super().forward(images)
        return (logits, logits[..., ::2, ::2]) if self.training else logits

class Halved(Net):
    def forward(self, images):
        return super().forward(images)[..., ::2, ::2]

class Named(Net):
    def forward(self, images):
        return {"out": super().forward(images)}

class Seen(nn.Module):
    def __init__(self, classes):
        super().__init__()
    def forward(self, images):
        return images

def build(classes):
    return Net(classes)
'''


@pytest.fixture(autouse=True)
def lab(tmp_path, monkeypatch):
    (tmp_path / "my_lab").mkdir()
    (tmp_path / "my_lab" / "__init__.py").write_text("")
    (tmp_path / "my_lab" / "nets.py").write_text(LAB)
    (tmp_path / "my_lab" / "broken.py").write_text("import no_such_package_at_all\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_lab"]:
        del sys.modules[name]


def built(path: str = "my_lab.nets.Net", outputs: int = 3, **options) -> nn.Module:
    return build_network("any_network", {"path": path, **options}, outputs)


def test_a_labs_own_class_is_built_with_its_arguments_in_silence(capsys):
    network = built(arguments=["width=7", "name=wide", "bias=False"])
    inner = network.network.network
    assert (inner.encoder.out_channels, inner.head.out_channels, inner.head.bias, inner.name) == (7, 3, None, "wide")
    assert encoder_of(network, "any_network") is inner.encoder
    assert capsys.readouterr().out == ""


def test_the_name_under_which_a_class_takes_the_number_of_outputs_can_be_given():
    arguments = ["spatial_dims=2", "in_channels=3", "init_filters=8"]
    network = built("monai.networks.nets.SegResNet", outputs=5, outputs_name="out_channels", arguments=arguments)
    with torch.inference_mode():
        assert network.eval()(torch.zeros(1, 3, 37, 50)).shape == (1, 5, 37, 50)


@pytest.mark.parametrize(
    ("scaling", "mean", "deviation"),
    [
        ("symmetric", [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]),
        ("unit", [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]),
        ("imagenet", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ],
)
def test_colours_are_scaled_as_the_network_wants_them(scaling, mean, deviation):
    from torchvision.transforms.functional import normalize

    colours = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    found = built("my_lab.nets.Seen", scaling=scaling).eval()(2 * colours - 1)
    torch.testing.assert_close(found, normalize(colours, mean, deviation))


def test_a_network_may_give_coarser_outputs_while_it_trains():
    network = built("my_lab.nets.Several")
    images = torch.zeros(1, 3, 40, 32)
    assert [output.shape[-2:] for output in network.train()(images)] == [(40, 32), (40, 32)]
    assert network.eval()(images).shape == (1, 3, 40, 32)


def test_a_trained_model_is_loaded_again(tmp_path):
    options = {"path": "my_lab.nets.Net", "arguments": ["width=5"]}
    network = build_network("any_network", options, 2).eval()
    card = {"network": "any_network", "options": options, "classes": ["background", "nucleus"]}
    save_model(tmp_path / "model.safetensors", network.state_dict(), card)
    loaded, _ = load_model(tmp_path / "model.safetensors")
    images = torch.rand(1, 3, 32, 32)
    assert torch.equal(loaded(images), network(images))


def test_an_encoder_is_loaded_from_a_file(tmp_path):
    from safetensors.torch import save_file

    weights = {"weight": torch.rand(4, 3, 1, 1), "bias": torch.rand(4)}
    save_file(weights, tmp_path / "encoder.safetensors")
    encoder = encoder_of(built(pretrained=str(tmp_path / "encoder.safetensors")), "any_network")
    assert torch.equal(encoder.weight, weights["weight"])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"path": ""}, "option path='' cannot be imported .*; expected package.module.Class"),
        ({"path": "Net"}, "option path='Net' cannot be imported"),
        ({"path": ".nets.Net"}, "option path='.nets.Net' cannot be imported"),
        ({"path": "my_lab.nest.Net"}, "No module named 'my_lab.nest'"),
        ({"path": "my_lab.nets.Nett"}, "has no attribute 'Nett'"),
        ({"path": "my_lab.broken.Net"}, "No module named 'no_such_package_at_all'"),
        ({"path": "my_lab.nets.build"}, "is function .*; expected a subclass of torch.nn.Module"),
        ({"path": "os.system", "arguments": ["command=true"]}, "expected a subclass of torch.nn.Module"),
        ({"path": "pathlib.Path"}, "expected a subclass of torch.nn.Module"),
        ({"arguments": ["widht=3"]}, r"(?s)unexpected keyword argument 'widht'.*arguments among classes, width, name"),
        ({"arguments": ["width"]}, "option arguments: 'width' is not key=value; expected words name=value"),
        ({"arguments": ["width=0"]}, r"ValueError: width must be positive"),
        ({"outputs_name": "out"}, "missing a required argument: 'classes'"),
        ({"scaling": "bytes"}, "option scaling='bytes'; expected one of symmetric, unit, imagenet"),
        ({"pretrained": "imagenet"}, "option pretrained=imagenet: knows no ImageNet weights"),
        ({"path": "my_lab.nets.Seen", "pretrained": "e.safetensors"}, "my_lab.nets.Seen has no encoder"),
        ({"pretrained": "e.safetensors"}, "option pretrained=e.safetensors: no such file"),
    ],
)
def test_what_cannot_be_built_is_refused_with_its_cure(options, match):
    with pytest.raises(InputError, match=match) as caught:
        built(**options)
    assert len(str(caught.value).splitlines()) <= 4


def test_what_a_path_names_is_not_called_unless_it_is_a_network(tmp_path):
    # A model's card names its network: whoever made the file must not have a function called.
    (tmp_path / "my_lab" / "trap.py").write_text("def call(classes):\n    raise SystemExit('called')\n")
    with pytest.raises(InputError, match="expected a subclass"):
        built("my_lab.trap.call")


@pytest.mark.parametrize(
    ("path", "match"),
    [
        ("my_lab.nets.Halved", r"my_lab.nets.Halved gives \(1, 3, 16, 16\); expected logits \(1, 3, 32, 32\)"),
        ("my_lab.nets.Named", r"my_lab.nets.Named gives dict; expected logits"),
    ],
)
def test_outputs_that_are_no_logits_are_refused(path, match):
    with pytest.raises(InputError, match=match):
        built(path)(torch.zeros(1, 3, 32, 32))
