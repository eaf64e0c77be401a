"""Random changes of colour: jitter, grayscale and blur; ids know nothing of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from vps.structures import InputError

_LUMA = np.array([0.299, 0.587, 0.114])
_STRIP = 1 << 14  # pixels
# To luma and two axes of colour (YIQ), in which a change of hue is a turn.
_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


@dataclass(frozen=True)
class ColorAugmentation:
    """What may be changed. The defaults change nothing.

    Attributes:
        jitter: brightness and contrast change by factors in 1 +- this.
        saturation: so does the saturation; None: as much as ``jitter``.
        hue: hue changes by at most this share of the colour circle.
        jitter_probability: of all that.
        grayscale_probability, blur_probability: of these.
        blur_sigma: least and greatest standard deviation of the Gaussian blur, pixels.
        per_frame: draw for each frame anew; else once for the clip.
    """

    jitter: float = 0.0
    saturation: float | None = None
    hue: float = 0.0
    jitter_probability: float = 1.0
    grayscale_probability: float = 0.0
    blur_probability: float = 0.0
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    per_frame: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.jitter < 1:
            raise InputError(f"expected INPUT.COLOR_JITTER in [0, 1), got {self.jitter}")
        if self.saturation is not None and not 0 <= self.saturation < 1:
            raise InputError(f"expected INPUT.COLOR.SATURATION in [0, 1), got {self.saturation}")
        if not 0 <= self.hue <= 0.5:
            raise InputError(f"expected INPUT.COLOR.HUE in [0, 0.5], got {self.hue}")
        for name in ("jitter", "grayscale", "blur"):
            probability = getattr(self, f"{name}_probability")
            if not 0 <= probability <= 1:
                raise InputError(
                    f"expected INPUT.COLOR.{name.upper()}_PROBABILITY in [0, 1], got {probability}"
                )
        if len(self.blur_sigma) != 2 or not 0 <= self.blur_sigma[0] <= self.blur_sigma[1]:
            raise InputError(
                f"expected INPUT.COLOR.BLUR_SIGMA as (least, most), got {self.blur_sigma}"
            )

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Change the colours of a clip uint8 [T, H, W, 3]; itself where nothing ever changes."""
        if not (self._jitters or self.grayscale_probability or self.blur_probability):
            return images
        planes = np.array(images.transpose(0, 3, 1, 2), order="C")
        self.change_in_place(planes, rng)
        return planes.transpose(0, 2, 3, 1)

    def change_in_place(self, planes: np.ndarray, rng: np.random.Generator) -> None:
        """The same to contiguous uint8 [T, 3, H, W], without a copy."""
        if not planes.flags.c_contiguous:  # reshaped it would be a copy, and nothing would happen
            raise ValueError("expected contiguous planes [T, 3, H, W] to change in place")
        for part in np.split(planes, len(planes)) if self.per_frame else [planes]:
            self._change(part, rng)

    @property
    def _jitters(self) -> bool:
        saturation = self.jitter if self.saturation is None else self.saturation
        return max(self.jitter, saturation, self.hue) > 0

    def _change(self, planes: np.ndarray, rng: np.random.Generator) -> None:
        """The same change for all frames of uint8 [T, 3, H, W]."""
        # A number is drawn only where it decides something, so that a key that is not used leaves
        # all samples as they were.
        if self._jitters and _happens(self.jitter_probability, rng):
            saturation = self.jitter if self.saturation is None else self.saturation
            limits = np.array([self.jitter, self.jitter, saturation])
            factors = 1 + rng.uniform(-limits, limits)
            turn = rng.uniform(-self.hue, self.hue) if self.hue > 0 else 0.0
            _recolor(planes, planes, *factors, hue=turn)
        if _happens(self.grayscale_probability, rng):
            _recolor(planes, planes, 1, 1, 0)
        if _happens(self.blur_probability, rng):
            sigma = rng.uniform(*self.blur_sigma)
            for plane in planes:
                plane[:] = _blur(plane, sigma)


def _happens(probability: float, rng: np.random.Generator) -> bool:
    if probability in (0, 1):
        return bool(probability)
    return rng.random() < probability


def change_color(
    images: np.ndarray,
    brightness: float,
    contrast: float,
    saturation: float,
    *,
    hue: float = 0.0,
) -> np.ndarray:
    """Multiply brightness, contrast and saturation of uint8 [T, H, W, 3]; 1 leaves them.

    ``hue`` turns the colours by this share of a full circle, about the axis of gray (in YIQ), which
    leaves their luma.
    """
    planes = _as_planes(images)
    changed = np.empty_like(planes)
    _recolor(planes, changed, brightness, contrast, saturation, hue=hue)
    return changed.transpose(0, 2, 3, 1)


def _recolor(
    planes: np.ndarray,
    changed: np.ndarray,
    brightness: float,
    contrast: float,
    saturation: float,
    *,
    hue: float = 0.0,
) -> None:
    """``change_color`` from uint8 [T, 3, H, W] into such an array, which may be the same."""
    # All are affine in RGB, so that one product with a 3x3 matrix does them.
    matrix = saturation * np.eye(3) + (1 - saturation) * _LUMA[:, None]
    if hue != 0:
        matrix = matrix @ hue_matrix(hue)
    offset = (1 - contrast) * brightness * _mean_luma(planes)
    matrix = (contrast * brightness * matrix.T).astype(np.float32)
    for old, new in zip(_strips(planes), _strips(changed)):
        values = matrix @ old.astype(np.float32)  # (3, pixels)
        values += np.float32(offset + 0.5)
        new[:] = np.clip(values, 0, 255, out=values)


def _as_planes(images: np.ndarray) -> np.ndarray:
    """uint8 [T, 3, H, W] of uint8 [T, H, W, 3]; no copy if they lie so in memory."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def _strips(planes: np.ndarray) -> Iterator[np.ndarray]:
    """Parts [3, pixels] of [T, 3, H, W], small enough for the cache."""
    for frame in planes.reshape(len(planes), 3, -1):
        for begin in range(0, frame.shape[1], _STRIP):
            yield frame[:, begin : begin + _STRIP]


def _mean_luma(planes: np.ndarray) -> float:
    """Mean luma 0..255 of uint8 [T, 3, H, W]."""
    sums = planes.reshape(len(planes), 3, -1).sum(axis=2, dtype=np.uint32).sum(axis=0)
    return float(sums @ _LUMA) * 3 / planes.size


def hue_matrix(turn: float) -> np.ndarray:
    """Matrix float [3, 3] that turns the hue of colours (rows) by ``turn`` of a full circle."""
    cosine, sine = np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)
    rotation = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    return (np.linalg.inv(_YIQ) @ rotation @ _YIQ).T


def blur_image(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blur uint8 [H, W, 3] with a Gaussian of standard deviation ``sigma`` pixels.

    Beyond the border the picture goes on with its outermost pixels.
    """
    return _blur(_as_planes(image[None])[0], sigma).transpose(1, 2, 0)


def _blur(planes: np.ndarray, sigma: float) -> np.ndarray:
    """``blur_image`` of uint8 [3, H, W]."""
    reach = max(int(np.ceil(3 * sigma)), 1)
    weights = np.exp(-0.5 * (np.arange(reach + 1) / max(sigma, 1e-3)) ** 2)
    weights /= weights[0] + 2 * weights[1:].sum()
    blurred = torch.from_numpy(planes)
    for axis in (1, 2):
        blurred = _blur_axis(blurred, axis, weights.tolist())
    # NumPy turns floats into bytes seven times as fast as PyTorch does.
    return blurred.add_(0.5).numpy().astype(np.uint8)


def _blur_axis(planes: torch.Tensor, axis: int, weights: list[float]) -> torch.Tensor:
    """Blur [3, H, W] of any type along one axis, to float; ``weights`` by the distance."""
    reach, length = len(weights) - 1, planes.shape[axis]
    shape = list(planes.shape)
    shape[axis] += 2 * reach
    padded = torch.empty(shape)
    padded.narrow(axis, reach, length).copy_(planes)  # also converts it
    padded.narrow(axis, 0, reach).copy_(planes.narrow(axis, 0, 1))
    padded.narrow(axis, reach + length, reach).copy_(planes.narrow(axis, length - 1, 1))
    blurred = padded.narrow(axis, reach, length) * weights[0]
    for distance, weight in enumerate(weights[1:], start=1):
        for start in (reach - distance, reach + distance):
            blurred.add_(padded.narrow(axis, start, length), alpha=weight)
    return blurred
