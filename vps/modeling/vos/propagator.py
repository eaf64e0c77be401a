"""The engine: masks given once, propagated frame by frame (AOT, section 3; the released programs).

A frame takes two steps, so that somebody else can look at the prediction in between::

    state = propagator.begin()
    prediction = propagator.predict(state, image)
    ids = propagator.ids(state, prediction)                   # what the prediction says
    propagator.commit(state, prediction, ids)                 # what is to be remembered

``commit`` takes the ids that hold at the frame: the prediction's own, or what was made of them.
Where masks were given the frame is a *reference*: it passes the whole network, matching itself,
and goes into long-term memory, in all groups. Other frames leave the keys and values that their
matching made, fused with the labels (hard, not probabilities), as short-term memory and, at most
every ``memory_gap`` frames, as long-term memory.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vps.modeling.vos.features import FrameFeatures, Propagated
from vps.modeling.vos.merging import (
    label_groups,
    label_merged,
    merge_groups,
    merged_probabilities,
)
from vps.modeling.vos.network import VOSNetwork
from vps.modeling.vos.resolution import (
    MEAN,
    STD,
    keep_tiny,
    network_size,
    normalize,
    resize_image,
    resize_labels,
)
from vps.modeling.vos.slots import Layout, SlotTable, group_one_hot
from vps.modeling.vos.token_store import TokenStore
from vps.modeling.vos.video_state import Bundle, VideoState
from vps.structures import InputError, PanopticFrame


@dataclass(frozen=True)
class PropagationRules:
    """Settings of the engine; the keys of ``MODEL.VOS.INFERENCE`` explain them.

    Attributes:
        memory_gap: frames between writes into long-term memory; 0 = only references are written.
        memory_cap: stored frames per group at most; 0 = no limit.
        merge: "full" or "stride4": where groups are merged.
        max_long_side, max_short_side: limits of the network's input; 0 = none.
        scale: factor on the size after the limits.
        flip: see the video mirrored.
        antialias: of ``resize_image``.
        pixel_mean, pixel_std: of RGB in 0..255, as the encoder was trained.
    """

    memory_gap: int = 0
    memory_cap: int = 0
    merge: str = "full"
    max_long_side: int = 1040
    max_short_side: int = 0
    scale: float = 1.0
    flip: bool = False
    antialias: bool = False
    pixel_mean: tuple[float, ...] = MEAN
    pixel_std: tuple[float, ...] = STD


@dataclass
class Prediction:
    """A frame on its way from ``predict`` to ``commit``.

    Attributes:
        features: of the frame.
        propagated: None if no object is known yet.
        layout: which object stands at which position and in which row.
        input_size: (h, w) of the network's input.
    """

    features: FrameFeatures
    propagated: Propagated | None
    layout: Layout
    input_size: tuple[int, int]


class Propagator:
    """Propagates the objects of videos; holds no state of its own.

    Args:
        network: in eval mode.
        rules: see ``PropagationRules``.
    """

    def __init__(self, network: VOSNetwork, rules: PropagationRules):
        self.network = network
        self.rules = rules

    def begin(self) -> VideoState:
        """The state of a video of which nothing is known."""
        return VideoState(SlotTable(self.network.settings))

    def predict(self, state: VideoState, image: np.ndarray, depth: int | None = None) -> Prediction:
        """See the next frame, uint8 (H, W, 3) RGB, and match it with what is remembered.

        Raises:
            InputError: the frame has another size than those before.
        """
        size = (int(image.shape[0]), int(image.shape[1]))
        if state.size is not None and size != state.size:
            raise InputError(
                f"expected all frames of a video at {state.size[0]}x{state.size[1]} (height x "
                f"width), got one of {size[0]}x{size[1]}; split the video where its size changes"
            )
        state.size = size
        state.frame += 1
        device = next(self.network.parameters()).device
        input_size = self._input_size(size)
        pixels = resize_image(image, input_size, device, antialias=self.rules.antialias)
        if self.rules.flip:
            pixels = pixels.flip(-1)
        pixels = normalize(pixels, self.rules.pixel_mean, self.rules.pixel_std)
        features = self.network.encode(pixels)
        layout = state.layout(self.network.channels, device)
        if not state.bundles:
            return Prediction(features, None, layout, input_size)
        memory = state.memory(depth or self.network.depth)
        propagated = self.network.propagate(features, memory, depth=depth)
        return Prediction(features, propagated, layout, input_size)

    def ids(self, state: VideoState, prediction: Prediction) -> Tensor:
        """The object that each pixel shows, or 0: int32 (H, W) at the video's size."""
        device = prediction.layout.used.device
        if prediction.propagated is None:
            return torch.zeros(state.size, dtype=torch.int32, device=device)
        logits, align = prediction.propagated.logits, self.network.align_corners
        always = self.network.panoptic
        if self.rules.merge == "full":
            labels = label_groups(
                logits, prediction.layout, state.size, align_corners=align, always=always
            )
        else:
            merged = merge_groups(logits, prediction.layout, always=always)
            labels = label_merged(merged, state.size, align_corners=align)
        ids = torch.tensor(prediction.layout.ids, dtype=torch.int32, device=device)[labels]
        return ids.flip(-1) if self.rules.flip else ids

    def probabilities(self, state: VideoState, prediction: Prediction) -> Tensor:
        """Of background and each object of ``prediction.layout``: (1 + n, H, W)."""
        probabilities = merged_probabilities(
            prediction.propagated.logits,
            prediction.layout,
            state.size,
            align_corners=self.network.align_corners,
            full=self.rules.merge == "full",
            always=self.network.panoptic,
        )
        return probabilities.flip(-1) if self.rules.flip else probabilities

    def commit(
        self,
        state: VideoState,
        prediction: Prediction,
        ids: Tensor,
        *,
        given: PanopticFrame | None = None,
        retired: Collection[int] = (),
    ) -> None:
        """Remember a frame.

        Args:
            state: of the video; changed.
            prediction: of this frame.
            ids: the objects that hold at this frame, int32 (H, W), with what was given pasted in
                and without what is retired (``apply_update``).
            given: masks of new objects, or better ones of known objects.
            retired: objects to follow no longer; their slots are free from now on.
        """
        rows = {id(group): row for row, group in enumerate(state.groups)}
        state.drop(state.table.remove(retired))
        for object_id in retired:
            state.segments.pop(object_id, None)
        if given is not None and given.ids.any():
            self._remember_reference(state, prediction, ids, given)
        elif state.bundles:
            kept = [rows[id(group)] for group in state.groups]
            self._remember(state, prediction, ids, kept)

    def _remember_reference(
        self, state: VideoState, prediction: Prediction, ids: Tensor, given: PanopticFrame
    ) -> None:
        for object_id in [int(i) for i in np.unique(given.ids) if i]:
            state.segments[object_id] = given.segments[object_id]
            if object_id not in state.table.places:
                anew = state.table.add(object_id, given.segments[object_id].isthing)
                if anew is not None:
                    state.drop([anew])
        known = set(map(id, state.groups))
        new = [group for group in state.table.groups if id(group) not in known]
        if new:
            stores = [TokenStore(self.rules.memory_cap) for _ in range(self.network.depth)]
            state.bundles.append(Bundle(new, stores))
        layout = state.layout(self.network.channels, ids.device)
        identities = self._embed(ids, layout, prediction.input_size, reference=True)
        propagated = self.network.propagate(
            prediction.features, None, identities=identities, decode=False
        )
        state.previous = self.network.remember(propagated, identities)
        state.store(self.network.keep(state.previous, propagated.sizes), reference=True)

    def _remember(
        self, state: VideoState, prediction: Prediction, ids: Tensor, rows: list[int]
    ) -> None:
        layout = state.layout(self.network.channels, ids.device)
        identities = self._embed(ids, layout, prediction.input_size, reference=False)
        propagated = _rows_of(prediction.propagated, rows)
        state.previous = self.network.remember(propagated, identities)
        gap = self.rules.memory_gap
        if gap and state.frame - state.last_write >= gap:
            state.store(self.network.keep(state.previous, propagated.sizes), reference=False)

    def _embed(
        self, ids: Tensor, layout: Layout, size: tuple[int, int], *, reference: bool
    ) -> list[Tensor]:
        """Identity embeddings of all groups, one mask in memory at a time."""
        labels = positions_of(ids.flip(-1) if self.rules.flip else ids, layout)
        resized = resize_labels(labels, size)
        if reference:
            resized = keep_tiny(resized, labels)
        embedded = [
            self.network.embed_identities(group_one_hot(resized, layout, row))
            for row in range(len(layout.used))
        ]
        return [torch.cat(scale) for scale in zip(*embedded, strict=True)]

    def _input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        return network_size(
            size,
            align_corners=self.network.align_corners,
            max_long=self.rules.max_long_side,
            max_short=self.rules.max_short_side,
            scale=self.rules.scale,
        )


def apply_update(ids: Tensor, given: PanopticFrame | None, retired: Collection[int]) -> Tensor:
    """Objects of a frame, int32 (H, W), without retired ones, and with given masks on top."""
    for object_id in retired:
        ids = ids.masked_fill(ids == object_id, 0)
    if given is None:
        return ids
    masks = torch.as_tensor(given.ids).to(ids.device)
    return torch.where(masks != 0, masks, ids)


def positions_of(ids: Tensor, layout: Layout) -> Tensor:
    """Object ids, all of them known or 0 -> positions, int64."""
    known = torch.tensor(layout.ids, dtype=torch.int32, device=ids.device)
    order = known.argsort()
    return order[torch.searchsorted(known[order], ids.contiguous())]


def _rows_of(propagated: Propagated, rows: list[int]) -> Propagated:
    """What a matching made for some groups; layers that all groups share stay as they are."""
    entries = []
    for entry in propagated.entries:
        whole = len(entry.key) == 1 or len(entry.key) == len(rows)
        entries.append(entry if whole else entry.map(lambda tokens: tokens[rows]))
    return Propagated(None, entries, propagated.sizes)
