"""The same view is known again whatever a messenger made of it; another view is not."""

from __future__ import annotations

import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gridloop.evidence.rules import SAME_LOOK, bands_near, bands_of, bits_between, check, look_of
from gridloop.evidence.tests.pictures import copy_of, picture, scene


def look(content: bytes) -> bytes:
    found = check(content).look
    assert found is not None
    return found


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    "copied",
    [{"quality": 40}, {"size": (320, 240)}, {"size": (1280, 960), "quality": 80}, {"cut": 0.01}],
    ids=["compressed", "smaller", "larger", "cut"],
)
def test_a_copy_is_known_again(seed: int, copied: dict[str, object]) -> None:
    first = scene(seed)
    assert bits_between(look(first), look(copy_of(first, **copied))) <= SAME_LOOK  # type: ignore[arg-type]


def test_other_views_are_not_taken_for_copies() -> None:
    looks = [look(scene(seed)) for seed in range(60)]
    nearest = min(bits_between(one, other) for one, other in itertools.combinations(looks, 2))
    assert nearest > 2 * SAME_LOOK


@pytest.mark.parametrize("colour", ["black", "white", "red"])
def test_a_picture_with_nothing_on_it_is_known_by_nothing(colour: str) -> None:
    assert look_of(Image.new("RGB", (640, 480), colour)) is None
    assert check(picture()).look is None


def test_a_document_has_no_look() -> None:
    assert check(b"%PDF-1.4 ...").look is None


def test_a_turned_camera_sees_the_same(tmp_path: object) -> None:
    with Image.open(io.BytesIO(scene(1))) as upright:
        out = io.BytesIO()
        exif = Image.Exif()
        exif[274] = 6  # lies on its side, to be turned a quarter to the right
        upright.rotate(90, expand=True).save(out, "JPEG", exif=exif)
    assert bits_between(look(scene(1)), look(out.getvalue())) <= SAME_LOOK


@given(st.binary(min_size=32, max_size=32), st.sets(st.integers(0, 255), max_size=SAME_LOOK))
def test_the_index_finds_every_look_that_is_near_enough(one: bytes, flipped: set[int]) -> None:
    other = (int.from_bytes(one, "big") ^ sum(1 << bit for bit in flipped)).to_bytes(32, "big")
    assert bits_between(one, other) == len(flipped)
    assert set(bands_near(one)) & set(bands_of(other))
    assert len(set(bands_of(one))) == 16
