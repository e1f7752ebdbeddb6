"""SegFormer, a hierarchical transformer with a decoder of linear layers: 3.7 million parameters as B0."""

from segmentation_models_pytorch import Segformer
from torch import nn

from histoloom.architectures._smp_encoders import on_encoder


def segformer(outputs: int, *, encoder: str = "mit_b0", pretrained: str = "none") -> nn.Module:
    """SegFormer's decoder of 256 channels on `encoder`, any by its name in segmentation_models_pytorch.

    Sides are multiples of 32; the output is made at a quarter of them and enlarged. The paper's own encoders are mit_b0
    to mit_b5 (its decoders of B2 to B5 have 768 channels). `pretrained`: "none", "imagenet", or a .safetensors file of
    the encoder. The library's code of the mit_ encoders bears NVIDIA's licence, which is not for commercial use.
    Raises InputError for an unknown encoder, and for weights that cannot be had or do not fit.
    Source: Xie et al. 2021, "SegFormer: Simple and efficient design for semantic segmentation with transformers", as
    segmentation_models_pytorch builds it.
    """
    return on_encoder("segformer", Segformer, outputs, encoder, pretrained)
