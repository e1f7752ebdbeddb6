"""Write a trained model as ONNX for any batch and size, once onnxruntime agrees with torch to 1e-5."""

from histoloom.errors import run
from histoloom.export.onnx_model import onnx_model, write_onnx
from histoloom.export.papers import facts_of, write_papers
from histoloom.export.source import parse_source, read_source
from histoloom.files import atomic_folder


def main() -> None:
    args = parse_source(__doc__, "--onnx")
    source = read_source(args)
    facts = facts_of(source) | {"model_card": source.model_card}
    model = onnx_model(source.network, source.outputs, source.card["network"], facts)
    with atomic_folder(args.onnx) as folder:
        write_onnx(folder / "model.onnx", model)
        write_papers(folder, source)


if __name__ == "__main__":
    run(main)
