"""Which object holds which identity: the table between object ids and slots of groups.

A network knows a fixed number of identities. Objects beyond that make more *groups*, each of which
is propagated with a memory of its own; in a group all objects of other groups are background. An
object keeps its group and slot for life. Ids may be any positive numbers, with gaps, beyond 255.

Slots are given out in the order of appearance, per kind where the network has panoptic banks. A
slot whose object was retired is used again, before a new group is opened; but the group's memory
still shows the old object under that identity, so the group then begins anew: what is remembered of
its past is dropped and the current frame becomes its reference.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from vps.modeling.vos.variants import NetworkSettings


@dataclass(eq=False)
class Group:
    """A group of objects that are propagated together.

    Attributes:
        objects: channel of the network -> object id.
        spent: channels that an object holds or held; the group's memory knows them.
    """

    objects: dict[int, int] = field(default_factory=dict)
    spent: set[int] = field(default_factory=set)


class Place(NamedTuple):
    """Where an object is: its group, and the network's channel."""

    group: Group
    channel: int


class SlotTable:
    """The objects of one video.

    Args:
        settings: of the network, for its capacities.
    """

    def __init__(self, settings: NetworkSettings):
        stuff = settings.stuff_capacity
        objects = range(1 + stuff, 1 + stuff + settings.capacity)
        # Channels that a thing, or a region of stuff, may take.
        self._channels = {True: objects, False: range(1, 1 + stuff) if stuff else objects}
        self.places: dict[int, Place] = {}  # object id -> place, in the order of appearance
        self.groups: list[Group] = []

    def add(self, object_id: int, isthing: bool) -> Group | None:
        """Give a new object a place.

        Returns:
            The group whose memory has to begin anew, if there is one.
        """
        channels = self._channels[isthing]
        for group in self.groups:
            for channel in channels:
                if channel not in group.spent:
                    self._place(object_id, group, channel)
                    return None
        for group in self.groups:
            for channel in channels:
                if channel not in group.objects:
                    group.spent = set(group.objects)
                    self._place(object_id, group, channel)
                    return group
        group = Group()
        self.groups.append(group)
        self._place(object_id, group, channels[0])
        return None

    def remove(self, object_ids: Iterable[int]) -> list[Group]:
        """Free the slots of objects that are followed no longer.

        Returns:
            The groups that have no objects any more; they leave the table.
        """
        for object_id in object_ids:
            if object_id in self.places:
                place = self.places.pop(object_id)
                del place.group.objects[place.channel]
        empty = [group for group in self.groups if not group.objects]
        self.groups = [group for group in self.groups if group.objects]
        return empty

    def _place(self, object_id: int, group: Group, channel: int) -> None:
        group.objects[channel] = object_id
        group.spent.add(channel)
        self.places[object_id] = Place(group, channel)


class Layout(NamedTuple):
    """Where the objects of some groups stand in a batch of those groups.

    The *position* of an object is its place in ``ids``; position 0 is background, id 0.

    Attributes:
        ids: object id of each position.
        rows, channels: group's row and network's channel of positions 1, 2, ...
        used: bool (groups, channels): background and channels that an object holds.
    """

    ids: list[int]
    rows: list[int]
    channels: list[int]
    used: Tensor


def layout_of(groups: list[Group], channels: int, device: torch.device) -> Layout:
    """The layout of groups, row by row, channels ascending (stuff before things)."""
    used = torch.zeros(len(groups), channels, dtype=torch.bool)
    used[:, 0] = True
    ids, rows, places = [0], [], []
    for row, group in enumerate(groups):
        for channel, object_id in sorted(group.objects.items()):
            used[row, channel] = True
            ids.append(object_id)
            rows.append(row)
            places.append(channel)
    return Layout(ids, rows, places, used.to(device))


def group_one_hot(labels: Tensor, layout: Layout, row: int) -> Tensor:
    """The one-hot mask of one group: float (1, channels, H, W).

    Args:
        labels: positions (H, W).
        layout: of all groups.
        row: the group's.
    """
    channels = layout.used.shape[1]
    channel_of = torch.zeros(len(layout.ids), dtype=torch.int64)  # others: background, channel 0
    for position, (place, channel) in enumerate(zip(layout.rows, layout.channels, strict=True), 1):
        if place == row:
            channel_of[position] = channel
    own = channel_of.to(labels.device)[labels]
    one_hot = torch.zeros((1, channels, *labels.shape), device=labels.device)
    return one_hot.scatter_(1, own[None, None], 1.0)
