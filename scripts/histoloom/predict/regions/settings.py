"""What is done to regions after the network: the settings as a study states them, and the same in whole pixels."""

from dataclasses import asdict, dataclass
from math import ceil, floor, isfinite

from histoloom.arguments import setting
from histoloom.errors import InputError

KERNELS = ("none", "gaussian", "mean", "median")
UNITS = ("um", "px")
CUT_OFF = 3.0  # standard deviations at which the Gaussian ends
LARGEST_PX = 127  # reach of a kernel or disc: beyond it OpenCV's median loses count, and a disc takes very long


@dataclass(frozen=True)
class RegionSettings:
    """How regions are smoothed and cleaned; lengths in `unit`, areas in its square; 0 turns a step off."""

    kernel: str = setting("Smoothing of each class's probabilities: none, gaussian, mean or median (both of a square).")
    kernel_size: float = setting("Standard deviation of the Gaussian, half the side of the square; 0 with none.")
    opening: float = setting("Radius of the disc that must fit into a region: narrower parts go to other classes.")
    closing: float = setting("Radius of the disc that must fit into background between parts of a class: it is filled.")
    hole_area: float = setting("Largest area of enclosed background that is filled.")
    min_region_area: float = setting("Least area of a region of one class; smaller ones go to a neighbour.")
    unit: str = setting("um or px: what lengths are in; um needs images that state their micrometres per pixel.")


@dataclass(frozen=True)
class RegionPlan:
    """The settings for one pixel size, in pixels.

    `sigma` is the Gaussian's standard deviation. The others are whole numbers: `kernel_reach` pixels beside the middle
    one, squared radii of discs (a pixel belongs to the disc whose centre is at most so far off), the largest hole, the
    least region of one class, and the least patch of whatever classes.
    """

    kernel: str = "none"
    sigma: float = 0.0
    kernel_reach: int = 0
    opening_squared: int = 0
    closing_squared: int = 0
    hole_px: int = 0
    min_region_px: int = 0
    min_area_px: int = 0

    @property
    def halo_px(self) -> int:
        """How far off a pixel may lie that has a say in another one before holes and least areas are looked at."""
        return self.kernel_reach + 2 * reach(self.opening_squared) + 2 * reach(self.closing_squared)

    @property
    def looks_at_areas(self) -> bool:
        """Whether there is a step that must know whole regions."""
        return self.hole_px > 0 or max(self.min_region_px, self.min_area_px) > 1


def reach(radius_squared: int) -> int:
    """Pixels of a disc beside its middle one.

    >>> [reach(squared) for squared in (0, 1, 3, 4, 10)]
    [0, 1, 1, 2, 3]
    """
    return floor(radius_squared**0.5)


def plan_regions(settings: RegionSettings, mpp: float | None, min_area_px: int, image: str) -> RegionPlan:
    """The settings in pixels of `mpp` µm, which matters for unit um alone; `image` is the name used in messages.

    Half sides are rounded to whole pixels, halves up. Raises InputError for values out of range, for a length that is
    less than a pixel and so would do nothing, and for micrometres where `mpp` is None.
    """
    _check(settings)
    scale = _px_per_unit(settings, mpp, image)
    sigma = settings.kernel_size * scale if settings.kernel == "gaussian" else 0.0
    width = CUT_OFF * sigma if sigma else settings.kernel_size * scale
    plan = RegionPlan(
        kernel=settings.kernel,
        sigma=sigma,
        kernel_reach=floor(width + 0.5),
        opening_squared=_rounded_down((settings.opening * scale) ** 2),
        closing_squared=_rounded_down((settings.closing * scale) ** 2),
        hole_px=_rounded_down(settings.hole_area * scale**2),
        min_region_px=ceil(round(settings.min_region_area * scale**2, 6)),
        min_area_px=min_area_px,
    )
    for name, pixels in (
        ("kernel_size", plan.kernel_reach),
        ("opening", reach(plan.opening_squared)),
        ("closing", reach(plan.closing_squared)),
    ):
        _check_reach(settings, name, pixels, image)
    return plan


def _check(settings: RegionSettings) -> None:
    for name, value, allowed in (("kernel", settings.kernel, KERNELS), ("unit", settings.unit, UNITS)):
        if value not in allowed:
            raise InputError(f"predict.regions: {name} is '{value}'; expected one of {', '.join(allowed)}")
    for name, value in asdict(settings).items():
        if not isinstance(value, str) and not (isfinite(value) and value >= 0):
            raise InputError(f"predict.regions: {name} is {value}; expected 0 or more")
    if (settings.kernel == "none") != (settings.kernel_size == 0):
        raise InputError(
            f"predict.regions: kernel is {settings.kernel} and kernel_size {settings.kernel_size}; expected a kernel "
            "with a size above 0, or none with size 0"
        )


def _px_per_unit(settings: RegionSettings, mpp: float | None, image: str) -> float:
    if settings.unit == "px" or not any(value for value in asdict(settings).values() if not isinstance(value, str)):
        return 1.0
    if mpp is None:
        raise InputError(
            f"{image}: its micrometres per pixel are not known; expected them for predict.regions in unit um; "
            "state the dataset's mpp, or the lengths in pixels with unit: px"
        )
    return 1 / mpp


def _rounded_down(value: float) -> int:
    return floor(round(value, 6))  # rounded first, since an area of 3 pixels must not become 2.9999999996


def _check_reach(settings: RegionSettings, name: str, pixels: int, image: str) -> None:
    value = getattr(settings, name)
    if value > 0 and not 1 <= pixels <= LARGEST_PX:
        raise InputError(
            f"{image}: predict.regions {name} {value} {settings.unit} reaches over {pixels} px; "
            f"expected 1 to {LARGEST_PX} px; change it, or predict at another resolution"
        )
