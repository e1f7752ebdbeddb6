"""Procedural H&E-like images with known nuclei, to try everything without anybody's data.

A scene is drawn as two maps, the amounts of haematoxylin and of eosin, and stained by the law of Beer and Lambert. It
looks like tissue at a glance; it is no model of tissue, and no score reached on it says anything of real slides.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int32, UInt8

# Optical densities (base e) of red, green and blue for one unit of stain: the reference of Macenko et al. 2009.
HAEMATOXYLIN = np.array([0.5626, 0.7201, 0.4062])
EOSIN = np.array([0.2159, 0.8012, 0.5581])
MIRROR = cv2.BORDER_REFLECT_101
ATTEMPTS = 30  # places tried for a nucleus before it is left out: a crowded field holds fewer
OVERLAP = 0.05  # share of a nucleus that may lie under others: they touch and press, but do not pile up


@dataclass(frozen=True)
class Habit:
    """How nuclei of one kind look. Lengths are pixels at 40x (0.25 micrometres per pixel), stains arbitrary units."""

    radius: float  # of the circle of equal area
    spread: float  # relative standard deviation of the radius
    elongation: float  # long axis through short axis
    roughness: float  # relative height of the outline's bumps
    haematoxylin: float
    hollowness: float  # how much paler the middle is than the rim, 0 to 1
    nucleoli: int
    lives_in: str  # nests of cells, stroma, or both


# In the order of PanNuke's channels. Neoplastic nuclei are large, pale and irregular, lymphocytes small, round and
# dark, connective ones spindles along the fibres, dead ones shrunken and black, epithelial ones alike and in rows.
HABITS = {
    "neoplastic": Habit(15.0, 0.16, 1.25, 0.08, 1.15, 0.40, 2, "nests"),
    "inflammatory": Habit(9.5, 0.08, 1.08, 0.03, 1.75, 0.05, 0, "stroma"),
    "connective": Habit(9.0, 0.15, 3.40, 0.05, 1.35, 0.10, 0, "stroma"),
    "dead": Habit(8.5, 0.20, 1.15, 0.15, 2.30, 0.00, 0, "both"),
    "epithelial": Habit(12.0, 0.08, 1.50, 0.03, 1.30, 0.20, 1, "nests"),
}
KINDS = tuple(HABITS)


@dataclass(frozen=True)
class Tissue:
    """What a tissue is made of: shares of its area, and nuclei of each kind per million pixels at 40x."""

    nests: float  # share of the area in which cells lie close together
    lumina: float  # share of the nests that is hollow
    nuclei: dict[str, int]


TISSUES = {
    "Breast": Tissue(0.50, 0.00, {"neoplastic": 400, "inflammatory": 110, "connective": 110, "dead": 30}),
    "Colon": Tissue(0.60, 0.16, {"epithelial": 520, "inflammatory": 230, "connective": 90, "dead": 20}),
    "HeadNeck": Tissue(0.40, 0.00, {"neoplastic": 320, "inflammatory": 330, "connective": 130, "dead": 45}),
}


@dataclass(frozen=True)
class Staining:
    """What differs between laboratories: optical densities of the two stains, and the light without tissue."""

    haematoxylin: Float[np.ndarray, "3"]
    eosin: Float[np.ndarray, "3"]
    light: Float[np.ndarray, "3"]


@dataclass(frozen=True)
class Nucleus:
    """One nucleus: its kind and its centre in pixels, 0.5 the middle of the first."""

    kind: str
    row: float
    column: float


@dataclass(frozen=True)
class Scene:
    """An image with its truth: nucleus i of `nuclei` has id i + 1 in `instances`."""

    image: UInt8[np.ndarray, "height width 3"]
    instances: Int32[np.ndarray, "height width"]
    nuclei: tuple[Nucleus, ...]


def draw_staining(rng: np.random.Generator) -> Staining:
    """Draw the staining of one laboratory or case."""
    haematoxylin = HAEMATOXYLIN * rng.normal(1, 0.05, 3) * rng.uniform(0.85, 1.15)
    eosin = EOSIN * rng.normal(1, 0.05, 3) * rng.uniform(0.8, 1.2)
    return Staining(haematoxylin, eosin, 255 * rng.uniform(0.94, 0.98) * rng.normal(1, 0.005, 3))


def draw_scene(
    shape: tuple[int, int], tissue: Tissue, staining: Staining, scale: float, rng: np.random.Generator
) -> Scene:
    """Draw a field of `tissue` of (height, width) pixels; `scale` is 1 at 40x, 0.5 for nuclei half as wide."""
    field = _Field(shape, tissue, scale, rng)
    for kind in _kinds_to_draw(tissue, shape[0] * shape[1] / scale**2, rng):
        field.add(kind)
    return Scene(_photograph(field.stains, staining, rng), field.instances, tuple(field.nuclei))


class _Field:
    """Tissue as it grows: stain amounts, nuclei so far, and where nuclei of each kind like to lie."""

    def __init__(self, shape: tuple[int, int], tissue: Tissue, scale: float, rng: np.random.Generator):
        self.scale, self.rng = scale, rng
        depth = self._noise(shape, 34.0) + 0.25 * self._noise(shape, 9.0)
        self.nests = _step(depth - np.quantile(depth, 1 - tissue.nests), 0.06)
        hollow = depth + 0.1 * self._noise(shape, 5.0)
        edge = np.quantile(hollow, 1 - tissue.nests * tissue.lumina) if tissue.lumina else np.inf
        self.lumina = _step(hollow - edge, 0.04)
        self.along_fibres = np.pi * 0.6 * self._noise(shape, 70.0)
        self.into_nests = np.arctan2(*np.gradient(_blurred(depth, 6 * scale)))
        crowds = np.exp(1.3 * self._noise(shape, 18.0))  # lymphocytes gather
        homes = {"nests": self.nests**4, "stroma": (1 - self.nests) ** 4 * crowds, "both": np.ones(shape)}
        self.homes = {name: home * (1 - self.lumina) ** 4 for name, home in homes.items()}
        self.stains = self._ground()
        self.chromatin = self._noise(shape, 1.7)
        self.places = np.indices(shape) + 0.5
        self.instances = np.zeros(shape, np.int32)
        self.nuclei: list[Nucleus] = []

    def add(self, kind: str) -> None:
        """Put one nucleus of `kind` where it likes to be, or nowhere when there is no room."""
        free = np.cumsum(self.homes[HABITS[kind].lives_in] * (self.instances == 0))
        for _ in range(ATTEMPTS):
            row, column = divmod(int(np.searchsorted(free, self.rng.uniform(0, free[-1]))), self.instances.shape[1])
            nucleus = Nucleus(kind, row + 0.5, column + 0.5)
            window = self._window(nucleus)
            distance = self._outline(nucleus, window)
            taken = self.instances[window] > 0
            if taken[distance < 1].mean() <= OVERLAP:
                self._paint(HABITS[kind], window, np.where(taken, np.inf, distance))
                self.nuclei.append(nucleus)
                self.instances[window][(distance < 1) & ~taken] = len(self.nuclei)
                return

    def _window(self, nucleus: Nucleus) -> tuple[slice, slice]:
        # A part of the field that holds all that a nucleus colours.
        habit = HABITS[nucleus.kind]
        reach = int(2.5 * habit.radius * self.scale * np.sqrt(habit.elongation)) + 2
        return tuple(slice(max(0, int(at) - reach), int(at) + reach + 1) for at in (nucleus.row, nucleus.column))

    def _outline(self, nucleus: Nucleus, window: tuple[slice, slice]) -> Float[np.ndarray, "height width"]:
        # Distance from the centre, 1 on the outline: an ellipse with a few smooth bumps.
        habit, rng = HABITS[nucleus.kind], self.rng
        radius = habit.radius * self.scale * max(rng.normal(1, habit.spread), 0.5)
        stretch = np.sqrt(habit.elongation * rng.uniform(0.85, 1.15))
        turn = self._direction(nucleus) + rng.normal(0, 0.25)
        y, x = self.places[:, *window] - np.array([nucleus.row, nucleus.column])[:, None, None]
        along, across = (x * np.cos(turn) + y * np.sin(turn)) / stretch, (y * np.cos(turn) - x * np.sin(turn)) * stretch
        angle = np.arctan2(across, along)
        bumps = sum(rng.normal(0, 1 / k) * np.cos(k * angle + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 4, 5))
        return np.hypot(along, across) / (radius * (1 + habit.roughness * bumps))

    def _direction(self, nucleus: Nucleus) -> float:
        place = (int(nucleus.row), int(nucleus.column))
        if nucleus.kind == "connective":
            return self.along_fibres[place]
        if nucleus.kind == "epithelial":
            return self.into_nests[place]
        return self.rng.uniform(0, np.pi)

    def _paint(self, habit: Habit, window: tuple[slice, slice], distance: Float[np.ndarray, "height width"]) -> None:
        inside = np.minimum(distance, 1)
        middle = 1 - habit.hollowness * (1 - inside**2)
        amount = habit.haematoxylin * self.rng.normal(1, 0.1) * middle * (1 + 0.14 * self.chromatin[window])
        amount += 0.22 * np.exp(-(((1 - inside) / 0.16) ** 2)) + self._nucleoli(habit, window, distance)
        cover = _step(1 - distance, 0.9 / (habit.radius * self.scale))  # an edge about a pixel wide
        haematoxylin, eosin = self.stains[:, *window]
        haematoxylin += cover * (np.maximum(amount, 0.3) - haematoxylin)
        eosin += cover * (0.35 - eosin)
        if habit is HABITS["dead"]:  # the cell's own plasm, shrunken and glaring pink
            eosin += 0.45 * np.exp(-((distance - 1.35) ** 2) / 0.08) * (1 - cover)

    def _nucleoli(
        self, habit: Habit, window: tuple[slice, slice], distance: Float[np.ndarray, "height width"]
    ) -> Float[np.ndarray, "height width"]:
        spots = np.zeros_like(distance)
        inner = self.places[:, *window][:, distance < 0.55].T
        for place in inner[self.rng.integers(len(inner), size=habit.nucleoli)] if len(inner) else []:
            squared = ((self.places[:, *window] - place[:, None, None]) ** 2).sum(axis=0)
            spots += 0.75 * np.exp(-squared / (2 * (1.7 * self.scale) ** 2))
        return spots

    def _ground(self) -> Float[np.ndarray, "2 height width"]:
        # What lies between nuclei: wavy fibres with clefts, and the granular plasm of nests.
        shape = self.nests.shape
        fibres = self._fibres()
        clefts = _step(fibres - np.quantile(fibres, 0.90), 0.2) * _step(self._noise(shape, 25.0), 0.3)
        stroma = np.stack([0.10 + 0.03 * fibres, (0.60 + 0.12 * fibres) * (1 - 0.9 * clefts)])
        grain = self._noise(shape, 2.0)
        plasm = np.stack([0.24 + 0.04 * grain, 0.46 + 0.06 * grain + 0.07 * self._noise(shape, 12.0)])
        return np.clip((stroma + (plasm - stroma) * self.nests) * (1 - 0.97 * self.lumina), 0.005, None)

    def _fibres(self) -> Float[np.ndarray, "height width"]:
        # Noise smeared along the direction of the fibres (line integral convolution, Cabral and Leedom 1993).
        noise = self._noise(self.along_fibres.shape, 1.3).astype(np.float32)
        y, x = np.indices(noise.shape, dtype=np.float32)
        down, right = np.sin(self.along_fibres).astype(np.float32), np.cos(self.along_fibres).astype(np.float32)
        smeared = np.zeros_like(noise)
        for step in np.linspace(-26, 26, 27, dtype=np.float32) * np.float32(self.scale):
            smeared += cv2.remap(noise, x + step * right, y + step * down, cv2.INTER_LINEAR, borderMode=MIRROR)
        return (smeared / smeared.std()).astype(float)

    def _noise(self, shape: tuple[int, int], width: float) -> Float[np.ndarray, "height width"]:
        # Smooth noise with mean 0 and deviation 1, `width` in pixels at 40x.
        # Wide noise is drawn on a coarse grid, which is many times faster than a wide filter.
        coarse = max(1, int(width * self.scale / 3))
        grid = [-(-size // coarse) for size in shape]
        noise = _blurred(self.rng.standard_normal(grid), width * self.scale / coarse)
        noise = cv2.resize(noise, shape[::-1], interpolation=cv2.INTER_CUBIC)
        return (noise - noise.mean()) / noise.std()


def _kinds_to_draw(tissue: Tissue, area: float, rng: np.random.Generator) -> Sequence[str]:
    # Large nuclei first: small ones then fill the gaps.
    kinds = sorted(tissue.nuclei, key=lambda kind: -HABITS[kind].radius)
    return [kind for kind in kinds for _ in range(rng.poisson(tissue.nuclei[kind] * area / 1e6))]


def _photograph(
    stains: Float[np.ndarray, "2 height width"], staining: Staining, rng: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    density = stains[0][..., None] * staining.haematoxylin + stains[1][..., None] * staining.eosin
    light = _blurred(staining.light * np.exp(-density), 0.6)  # the lens
    return np.clip(np.rint(light + rng.normal(0, 1.5, light.shape)), 0, 255).astype(np.uint8)  # the sensor


def _blurred(
    values: Float[np.ndarray, "height width *colours"], sigma: float
) -> Float[np.ndarray, "height width *colours"]:
    return cv2.GaussianBlur(values, (0, 0), sigma, borderType=MIRROR)


def _step(value: Float[np.ndarray, "height width"], softness: float) -> Float[np.ndarray, "height width"]:
    return 1 / (1 + np.exp(-np.clip(value / softness * 4, -60, 60)))
