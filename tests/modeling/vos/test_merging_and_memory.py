"""Pure parts of the engine: merging of groups, the slot table, the token store."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from vps.modeling.vos import merging
from vps.modeling.vos.memory import KeyValue
from vps.modeling.vos.merging import (
    label_groups,
    label_merged,
    merge_groups,
    merged_probabilities,
)
from vps.modeling.vos.resolution import keep_tiny, resize_labels
from vps.modeling.vos.slots import SlotTable, group_one_hot, layout_of
from vps.modeling.vos.token_store import StoredFrame, TokenStore
from vps.modeling.vos.variants import network_settings

CPU = torch.device("cpu")
GENERIC = network_settings("AOT-T", {"capacity": 3})
PANOPTIC = network_settings("R50-PAOT-PanoID", {"capacity": 3, "stuff_capacity": 2})


def table_of(objects: int, settings=GENERIC) -> SlotTable:
    table = SlotTable(settings)
    for object_id in range(1, objects + 1):
        table.add(object_id, True)
    return table


def draw_logits(groups: int, seed=0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 4 * torch.randn(groups, 4, 6, 9, generator=generator)


@pytest.mark.parametrize("objects", [1, 3, 4, 8])
@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("always", [True, False])
def test_streamed_labels_equal_those_of_whole_maps(objects, align_corners, always, monkeypatch):
    """One group, or a few channels, at a time: the same as all probabilities at full size."""
    layout = layout_of(table_of(objects).groups, 4, CPU)
    logits, size = draw_logits(len(layout.used)), (21, 33)
    large = F.interpolate(logits, size, mode="bilinear", align_corners=align_corners)
    expected = merge_groups(large, layout, always=always).argmax(0)
    options = {"align_corners": align_corners, "always": always}
    assert torch.equal(label_groups(logits, layout, size, **options), expected)
    full = merged_probabilities(logits, layout, size, full=True, **options)
    assert torch.equal(full.argmax(0), expected)

    merged = merge_groups(logits, layout, always=always)
    whole = F.interpolate(merged[None], size, mode="bilinear", align_corners=align_corners)[0]
    monkeypatch.setattr(merging, "CHUNK", 2 * size[0] * size[1])
    labels = label_merged(merged, size, align_corners=align_corners)
    assert torch.equal(labels, whole.argmax(0))


def test_one_group_keeps_its_order_of_merit():
    """Odds of one group rank as its logits do; unused identities never win."""
    layout = layout_of(table_of(2).groups, 4, CPU)
    logits = draw_logits(1)
    logits[:, 3] = 100
    plain = merge_groups(logits, layout).argmax(0)
    assert torch.equal(merge_groups(logits, layout, always=True).argmax(0), plain)
    assert torch.equal(plain, logits[0, :3].argmax(0))


def test_background_is_where_all_groups_see_it():
    """By hand: background 0.9 * 0.5, objects as their groups say."""
    layout = layout_of(table_of(4).groups, 4, CPU)
    probabilities = torch.tensor([[0.9, 0.06, 0.03, 0.01], [0.5, 0.5, 0.0, 0.0]])
    merged = merge_groups(probabilities.clamp(min=1e-9).log()[:, :, None, None], layout)
    expected = torch.tensor([0.45, 0.06, 0.03, 0.01, 0.5]).logit()
    assert torch.allclose(merged[:, 0, 0], expected, atol=1e-4)


def test_slots_are_given_in_order_and_kept():
    table = table_of(7)
    assert [len(group.objects) for group in table.groups] == [3, 3, 1]
    assert table.places[5].channel == 2 and table.places[5].group is table.groups[1]
    table.remove([2])
    table.add(10, True)  # never used slots first
    assert table.places[10].group is table.groups[2]
    table.add(11, True)
    anew = table.add(12, True)  # then a freed one, whose group begins anew
    assert anew is table.groups[0] and table.places[12].channel == 2
    assert table.add(13, True) is None and len(table.groups) == 4
    assert len(table.remove([4, 5, 6])) == 1 and len(table.groups) == 3
    assert table.remove([999]) == []


def test_things_and_stuff_have_slots_of_their_own():
    table = SlotTable(PANOPTIC)
    for object_id, isthing in enumerate([True, False, False, True, False, True, True], 1):
        table.add(object_id, isthing)
    first, second = table.groups
    assert first.objects == {3: 1, 1: 2, 2: 3, 4: 4, 5: 6}
    assert second.objects == {1: 5, 3: 7}
    layout = layout_of(table.groups, 6, CPU)
    assert layout.ids == [0, 2, 3, 1, 4, 6, 5, 7]
    labels = torch.tensor([[0, 1, 3, 6]])
    one_hot = group_one_hot(labels, layout, 0)[0, :, 0]
    assert one_hot.argmax(0).tolist() == [0, 1, 3, 0]  # what another group has is background
    assert (one_hot.sum(0) == 1).all()


def entry(value: float, groups=2) -> KeyValue:
    tokens = torch.full((groups, 1, 3, 4), float(value))
    return KeyValue(tokens, -tokens)


def stored(store: TokenStore) -> list[float]:
    return sorted(store.read().key[0, 0, ::3, 0].tolist())


@pytest.mark.parametrize(
    ("cap", "frames", "expected"),
    [
        (0, "Rnnnnn", [0, 1, 2, 3, 4, 5]),
        (3, "Rnnnnn", [0, 4, 5]),  # the oldest that is no reference goes
        (3, "RnRnnn", [0, 2, 5]),
        (2, "RRnnn", [0, 1]),  # references stay; others find no place
        (3, "RRRRRn", [0, 3, 4]),  # too many references: the first stays, the second oldest goes
        (1, "RnnR", [3]),
        (6, "Rnnnnn", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_what_a_full_store_forgets(cap, frames, expected):
    store = TokenStore(cap)
    for index, kind in enumerate(frames):
        store.write(entry(index), StoredFrame(index, kind == "R"))
    assert stored(store) == expected
    assert torch.equal(store.read().value, -store.read().key)
    references = [index for index, kind in enumerate(frames) if kind == "R"]
    assert store.newest_reference().key.unique().tolist() == [references[-1]]


def test_a_store_keeps_some_groups():
    store = TokenStore()
    store.write(
        KeyValue(torch.arange(24.0).view(3, 1, 2, 4), torch.zeros(3, 1, 2, 4)), StoredFrame(0, True)
    )
    store.keep([0, 2])
    assert store.read().key[:, 0, 0, 0].tolist() == [0, 16]


def test_labels_that_vanish_are_put_back():
    labels = torch.zeros(40, 40, dtype=torch.int64)
    labels[1, 1], labels[39, 38], labels[10:30, 10:30] = 1, 2, 3
    resized = resize_labels(labels, (10, 10))
    assert set(resized.unique().tolist()) == {0, 3}
    kept = keep_tiny(resized, labels)
    assert kept[0, 0] == 1 and kept[9, 9] == 2
    assert ((kept != resized).sum()) == 2
