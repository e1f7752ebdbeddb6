"""Shapes in signatures are checked while tests run, and only then."""

from jaxtyping import install_import_hook

install_import_hook("histoloom", "beartype.beartype")
