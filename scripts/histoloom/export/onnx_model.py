"""A trained network as ONNX for any batch and size, compared with torch before it is given away."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.compose
import onnx.parser
import onnxruntime
import torch
from onnxscript import opset20
from torch import nn

from histoloom.errors import InputError
from histoloom.export.exported_network import exported_program, first_line, quiet
from histoloom.networks import SIDES, network_input
from histoloom.targets import MAPS, Outputs

OPSET = 20
TOLERANCE = 1e-5  # of a probability, and of the largest value of a map if that is above 1
COMPARED = ((1, 64, 64), (2, 96, 160), (3, 50, 77))  # batch, height, width; the last is padded


def onnx_model(network: nn.Module, outputs: Outputs, architecture: str, facts: Mapping[str, str]) -> onnx.ModelProto:
    """The network in eval mode as a model that takes float32 `images` (batch, 3, height, width), RGB from 0 to 255.

    It gives `probabilities` (batch, classes, height, width) and, of a network that has them, `maps`. Sides of any size
    above 32 px are padded and cropped within, as networks.AnySize does. `facts` become its metadata.
    Raises InputError for a network that cannot be written as ONNX, or for which onnxruntime differs from torch.
    """
    program = exported_program(network, outputs, architecture, is_joined=False)
    names = ["probabilities", *(["maps"] if outputs.has_maps else [])]
    channels = dict(zip(names, (len(outputs.classes), MAPS), strict=False))
    model = _with_any_size(_converted(program, names, architecture), channels)
    model.producer_name, model.doc_string = "histoloom", facts.get("name", architecture)
    onnx.helper.set_model_props(model, dict(sorted(facts.items())))
    onnx.checker.check_model(model, full_check=True)
    require_agreement(model, network, outputs, architecture)
    return model


def largest_difference(
    model: onnx.ModelProto, network: nn.Module, outputs: Outputs, batch: int, height: int, width: int
) -> float:
    """The largest difference of onnxruntime from torch on noise of that size, as TOLERANCE counts it."""
    pixels = np.random.default_rng(0).integers(0, 256, (batch, height, width, 3), dtype=np.uint8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found = session.run(None, {"images": pixels.transpose(0, 3, 1, 2).astype(np.float32)})
    with torch.inference_mode():
        output = network(network_input(torch.from_numpy(pixels)).contiguous())
    expected = [outputs.class_probabilities(output)]
    if outputs.has_maps:
        expected.append(outputs.instance_maps(output))
    return max(_difference(each, truth.numpy()) for each, truth in zip(found, expected, strict=True))


def require_agreement(model: onnx.ModelProto, network: nn.Module, outputs: Outputs, architecture: str) -> None:
    """Raise InputError unless onnxruntime agrees with torch at every size of COMPARED."""
    for size in COMPARED:
        difference = largest_difference(model, network, outputs, *size)
        if not difference <= TOLERANCE:
            raise InputError(
                f"architecture {architecture}: onnxruntime differs from torch by {difference:.2g} for "
                f"{size[0]} images of {size[1]} x {size[2]} px; expected at most {TOLERANCE:g}; "
                "export weights or monai_bundle in place of onnx"
            )


def write_onnx(path: Path, model: onnx.ModelProto) -> None:
    """Write the model as one file."""
    path.write_bytes(model.SerializeToString(deterministic=True))


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))


def _remainder(values: Any, divisor: Any) -> Any:
    # The converter knows this for numbers, but not for a divisor that is a size of the input.
    return opset20.Mod(values, opset20.CastLike(divisor, values))


def _converted(program: torch.export.ExportedProgram, names: list[str], architecture: str) -> onnx.ModelProto:
    table = {torch.ops.aten.remainder.Scalar: _remainder}
    try:
        with quiet():
            written = torch.onnx.export(
                program, (), dynamo=True, verbose=False, opset_version=OPSET, custom_translation_table=table
            )
    except Exception as error:  # the exporter raises a dozen kinds
        raise InputError(
            f"architecture {architecture}: cannot be written as ONNX ({first_line(error.__cause__ or error)});\n"
            "expected a network of ONNX's operations;\n"
            "export weights or monai_bundle, or take an architecture of docs/export.md"
        ) from error
    model = written.model_proto
    given = [model.graph.input[0].name, *(each.name for each in model.graph.output)]
    _rename(model.graph, dict(zip(given, ["padded", *names], strict=True)))
    return model


def _rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    for node in graph.node:
        node.input[:] = [names.get(each, each) for each in node.input]
        node.output[:] = [names.get(each, each) for each in node.output]
    for value in (*graph.input, *graph.output):
        value.name = names.get(value.name, value.name)


def _with_any_size(core: onnx.ModelProto, channels: Mapping[str, int]) -> onnx.ModelProto:
    # Added after conversion: networks are traced with sides that are multiples of 32, about which torch.export can
    # reason. The border is repeated, as AnySize does it.
    header = f'<ir_version: {core.ir_version}, opset_import: ["" : {OPSET}]>'
    before = onnx.parser.parse_model(f"""{header} pad (float[batch,3,height,width] images)
        => (float[batch,3,padded_height,padded_width] padded, int64[2] sides) {{
        shape = Shape <start = 2, end = 4> (images)
        sides = Identity (shape)
        multiple = Constant <value = int64[1] {{{SIDES}}}> ()
        negative = Neg (shape)
        more = Mod (negative, multiple)
        nothing = Constant <value = int64[6] {{0, 0, 0, 0, 0, 0}}> ()
        pads = Concat <axis = 0> (nothing, more)
        padded = Pad <mode = "edge"> (images, pads)
    }}""")
    steps = "\n".join(f"{name} = Slice (whole_{name}, zeros, size, axes)" for name in channels)
    values = ", ".join(
        f"float[batch,{count},padded_height,padded_width] whole_{name}" for name, count in channels.items()
    )
    results = ", ".join(f"float[batch,{count},height,width] {name}" for name, count in channels.items())
    after = onnx.parser.parse_model(f"""{header} crop ({values}, int64[2] size) => ({results}) {{
        zeros = Constant <value = int64[2] {{0, 0}}> ()
        axes = Constant <value = int64[2] {{2, 3}}> ()
        {steps}
    }}""")
    core = onnx.compose.add_prefix(core, "net_")
    found = {f"net_{name}": f"whole_{name}" for name in channels}
    padded = onnx.compose.merge_models(before, core, io_map=[("padded", "net_padded")], outputs=["sides", *found])
    joints = [("sides", "size"), *found.items()]
    return onnx.compose.merge_models(padded, after, io_map=joints)
