"""What every export carries: the model's card, what is known of the licence of its data, and digests of all files."""

from pathlib import Path

from histoloom.export.source import Source
from histoloom.files import sha256

CARD, LICENCE, SUMS = "model_card.md", "LICENCE_OF_DATA.txt", "SHA256SUMS"
UNKNOWN = ("", "not stated")


def write_papers(folder: Path, source: Source) -> None:
    """Write card and licence into a folder, and SHA256SUMS of all files in it, which `sha256sum --check` reads."""
    (folder / CARD).write_text(source.model_card, encoding="utf-8")
    (folder / LICENCE).write_text(licence_text(source), encoding="utf-8")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def licence_text(source: Source) -> str:
    """What a user has to know of the data that the weights were learnt from."""
    about = source.description
    lines = [
        f"Model: {source.name}",
        f"Data: {about.name}",
        f"Licence of the data: {licence_of(source)}",
        f"Citation of the data: {about.citation or 'not stated'}",
        *(f"Note: {warning}" for warning in about.warnings),
        "",
        "The weights were learnt from these data: what their licence says of works that are made from them holds for",
        "the weights too. Whoever publishes the weights has to state a licence that fits it.",
        "For research only: this is no medical device.",
    ]
    return "\n".join(lines) + "\n"


def licence_of(source: Source) -> str:
    """The licence of the data as its reader states it."""
    licence = source.description.licence
    return "not stated; ask the owner of the data" if licence in UNKNOWN else licence


def facts_of(source: Source) -> dict[str, str]:
    """What a program should know of the model, as texts; empty values are left out.

    "downsample" is native pixels along one input pixel, "mpp" the µm of an input pixel and "native_mpp" of a native
    one, which is a pixel of the images as the dataset has them.
    """
    card, outputs, factor = source.card, source.outputs, source.card["downsample"]
    reduced = f", reduced by {factor}: each pixel the mean of {factor} x {factor} native ones" if factor > 1 else ""
    stain = "as learnt: bring images to reference.npz of the weights' export first" if source.reference else ""
    facts = {
        "name": source.name,
        "classes": ",".join(outputs.classes),
        "input": "float32 (batch, 3, height, width), RGB from 0 to 255, not scaled to 0 to 1" + reduced,
        "output": "class probabilities that sum to one" + (", then instance maps" if outputs.has_maps else ""),
        "downsample": str(factor),
        "mpp": "" if card.get("mpp") is None else str(card["mpp"]),
        "native_mpp": "" if card.get("mpp") is None else f"{card['mpp'] / factor:g}",
        "tile_px": str(card.get("tile_px", "")),
        "stain_normalisation": stain,
        "licence_of_data": licence_of(source),
        "citation_of_data": source.description.citation,
        "intended_use": "research only; no medical device",
        "fold": str(card.get("fold", "")),
        "validation_score": str(card.get("score", "")),
    }
    return {key: value for key, value in facts.items() if value}
