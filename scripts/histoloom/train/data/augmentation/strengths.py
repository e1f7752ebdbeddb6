"""How strongly training tiles are varied: one field, one flag, one key of the config, one sentence of help."""

from dataclasses import dataclass, fields

from histoloom.arguments import setting
from histoloom.errors import InputError

# Largest value by the end of a field's name; factors, which have no unit in their name, go up to 1.
MOST_BY_UNIT = {"_px": 1000, "_deg": 180}
# scale: 4 reads 25 times the pixels. shear_deg: nearer 90 the tile becomes a line. barrel: beyond 1/3 it folds over.
# noise: its table of bytes around 128 has room for 43.
MOST = {"scale": 4, "shear_deg": 80, "barrel": 0.3, "noise": 40, "jpeg": 100}
# Sizes that shape another strength and have no "off" of their own.
SIZES = {"elastic_grid_px": "elastic_px", "gaussian_width_px": "gaussian_px"}


@dataclass(frozen=True)
class Augmentation:
    """All strengths, each drawn uniformly and independently for every tile; those of colour never touch the truth.

    Raises InputError for a value out of its range.
    """

    flip: bool = setting("Mirror left-right and up-down, each for half of the tiles; false leaves it alone.")
    right_angle: bool = setting("Turn by 0, 90, 180 or 270 degrees; false leaves it alone.")
    rotation_deg: float = setting("Largest rotation in degrees, both ways; 0 leaves it alone.")
    scale: float = setting("Zoom by a factor in 1/(1+x) to 1+x, log-uniform; 0 leaves it alone.")
    shear_deg: float = setting("Largest shear in degrees, both ways; 0 leaves it alone.")
    shift_px: float = setting("Largest shift along each side in pixels, both ways; 0 leaves it alone.")
    elastic_px: float = setting(
        "Standard deviation of a smooth random displacement of each coordinate in pixels; 0 leaves it alone."
    )
    elastic_grid_px: int = setting("Distance in pixels between the nodes of the elastic displacement.")
    gaussian_px: float = setting(
        "Largest displacement in pixels of one Gaussian bump, its place and direction random; 0 leaves it alone."
    )
    gaussian_width_px: float = setting("Standard deviation in pixels of the Gaussian bump.")
    barrel: float = setting(
        "Radial distortion, barrel to pincushion, as the largest share by which corners move; 0 leaves it alone."
    )
    brightness: float = setting("Brightness times a factor in 1-x to 1+x; 0 leaves it alone.")
    contrast: float = setting("Contrast around mid grey times a factor in 1-x to 1+x; 0 leaves it alone.")
    saturation: float = setting("Saturation times a factor in 1-x to 1+x; 0 leaves it alone.")
    hue_deg: float = setting("Largest turn around the grey axis in degrees, both ways; 0 leaves it alone.")
    stain: float = setting(
        "Amounts of haematoxylin and of eosin, each times a factor in 1-x to 1+x; 0 leaves it alone."
    )
    blur_px: float = setting("Largest standard deviation of a Gaussian blur in pixels; 0 leaves it alone.")
    noise: float = setting("Largest standard deviation of noise in grey levels of 255; 0 leaves it alone.")
    jpeg: int = setting("Lowest quality, 1 to 100, of a JPEG compression of the tile; 0 leaves it alone.")

    def __post_init__(self) -> None:
        for each in fields(self):
            value, (least, most) = getattr(self, each.name), _range(each.name)
            if not least <= value <= most:  # so put that NaN is refused too
                raise InputError(
                    f"augment.{each.name}: {value}; expected {least} to {most}; set another in section augment"
                )

    @classmethod
    def none(cls) -> "Augmentation":
        """Leave tiles as they are."""
        return cls(**{each.name: each.type(each.name in SIZES) for each in fields(cls)})

    @property
    def warps(self) -> bool:
        """Whether pixels fall between pixels, so that they have to be interpolated."""
        affine = (self.rotation_deg, self.scale, self.shear_deg, self.shift_px)
        return any((*affine, self.elastic_px, self.gaussian_px, self.barrel))

    @property
    def shifts_colours(self) -> bool:
        """Whether the colour matrix differs from identity."""
        return any((self.brightness, self.contrast, self.saturation, self.hue_deg))

    @property
    def active(self) -> dict[str, bool | float | int]:
        """The settings that change something, by name, in the order of the fields."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in values.items() if value and values[SIZES.get(name, name)]}


def _range(name: str) -> tuple[int, float | int]:
    by_unit = (most for unit, most in MOST_BY_UNIT.items() if name.endswith(unit))
    return int(name in SIZES), MOST.get(name, next(by_unit, 1))
