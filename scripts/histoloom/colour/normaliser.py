"""What a stain normaliser is: fitted to the tissue of an image or slide, it maps pixels to pixels."""

from collections.abc import Callable

import numpy as np

# The image (height, width, 3) uint8 in its new colours. Each pixel is mapped by itself, so bands of a slide can be.
Recolouring = Callable[[np.ndarray], np.ndarray]
# From tissue pixels (pixels, 3) uint8; raises stain.EstimateFailed where they cannot be fitted to.
Normaliser = Callable[[np.ndarray], Recolouring]
