"""Architectures that leave a study as weights alone, and why: known before anything is trained."""

PROGRAMS = ("onnx", "monai_bundle")  # formats that hold the network's steps, not the name of its architecture
REASONS = {
    "swin_unetr": "its windows of 7 pixels lie otherwise for each size, more cases than torch.export can follow",
}
