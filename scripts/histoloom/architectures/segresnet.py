"""SegResNet, a residual encoder with a light decoder, with deep supervision if asked: 6.3 million parameters."""

from monai.networks.nets import SegResNetDS
from torch import nn

from histoloom.errors import InputError

GROUPS = 8  # of the group norm, as in the paper
LEVELS = 3  # of the decoder, each of which may be supervised


def segresnet(outputs: int, *, width: int = 32, supervision_levels: int = 1) -> nn.Module:
    """Four levels with `width` channels at the first, twice as many at each next one; sides multiples of 8.

    In training mode it gives the logits of so many decoder levels, finest first; 1 is no deep supervision.
    Source: Myronenko 2018, "3D MRI brain tumor segmentation using autoencoder regularization" (width 32, group norm of
    8 groups, bilinear enlargement), without the autoencoder, and in two dimensions; MONAI's SegResNetDS.
    """
    if not isinstance(width, int) or width < GROUPS or width % GROUPS:
        raise InputError(f"segresnet: option width={width!r}; expected a multiple of {GROUPS}; 32 is the paper's")
    if supervision_levels not in range(1, LEVELS + 1):
        raise InputError(
            f"segresnet: option supervision_levels={supervision_levels!r}; expected 1 to {LEVELS}; 1 is none"
        )
    return SegResNetDS(
        spatial_dims=2,
        in_channels=3,
        out_channels=outputs,
        init_filters=width,
        norm=("group", {"num_groups": GROUPS}),
        upsample_mode="nontrainable",
        dsdepth=supervision_levels,
    )
