"""Image files: faces in LFW's layout, classes in folders, damaged images."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the train extra: pip install 'onnx2snn[train]'")
pytest.importorskip("PIL", reason="image files need the train extra: pip install 'onnx2snn[train]'")

import torch
from data_files import write_images
from PIL import Image
from torch.utils.data import DataLoader

from onnx2snn.errors import DataError, UsageError
from onnx2snn.training.data import Chain, Flip, Warp, arrays, load
from onnx2snn.training.data.image_folder import random_part
from onnx2snn.training.data.pictures import centre, decode, resized

PEOPLE = {"Ann_A": 29, "Bob_B": 30, "Cy_C": 40, "Di_D": 100, "Ed_E": 101}


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LFW's layout: people with 29 to 101 images of 250 x 250 pixels, and files beside the folders."""
    folder = tmp_path_factory.mktemp("data")
    for seed, (person, count) in enumerate(PEOPLE.items()):
        write_images(folder / "lfw_funneled" / person, count, ".jpg", (250, 250), seed)
    (folder / "lfw_funneled" / "pairs_01.txt").write_text("Ann_A 1 2\n")
    return folder


def classes(folder: Path, train: int = 12, val: int = 4) -> Path:
    """ImageNet's layout with three classes."""
    for seed, name in enumerate(("n01", "n02", "n03")):
        write_images(folder / "train" / name, train, ".JPEG", (40, 30), seed)
        write_images(folder / "val" / name, val, ".png", (30, 40), seed)
    return folder


def test_faces_of_people_with_30_to_100_images(faces: Path) -> None:
    data = load("lfw", faces)
    assert (data.shape, data.classes) == ((3, 64, 64), ("Bob_B", "Cy_C", "Di_D"))
    assert data.augment == Chain((Flip(), Warp(degrees=10, outside="border")))
    assert np.bincount(data.test.labels).tolist() == [6, 8, 20]
    assert (len(data.validation), len(data.train)) == (13, 123)
    image, label = data.train[0]
    assert (image.shape, image.dtype, type(label)) == ((3, 64, 64), torch.float32, int)


def test_one_split_of_faces_at_both_sizes(faces: Path, tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    large, small = load("lfw", faces, split=path), load("lfw", faces, size=32, seed=5, split=path)
    assert small.shape == (3, 32, 32)
    for part in ("train", "validation", "test"):
        (x, y), (halved, labels) = arrays(getattr(large, part)), arrays(getattr(small, part))
        np.testing.assert_array_equal(y, labels)
        averaged = x.reshape(len(x), 3, 32, 2, 32, 2).mean((3, 5))
        assert np.corrcoef(averaged.ravel(), halved.ravel())[0, 1] > 0.9
    with pytest.raises(UsageError, match="size: 64 or 32 expected, found 48"):
        load("lfw", faces, size=48)


def test_the_middle_of_a_face_is_kept(tmp_path: Path) -> None:
    pixels = np.zeros((250, 250, 3), np.uint8)
    pixels[61:189, 61:189] = 255
    Image.fromarray(pixels).save(tmp_path / "x.png")
    image = decode(tmp_path / "x.png")
    face, wider = (resized(image, centre(image, side), 64) for side in (128, 140))
    assert face.min() > 190
    assert (face[:, 1:-1, 1:-1] == 255).all()
    assert wider[:, 0].max() == 0


def test_faces_that_are_too_few(tmp_path: Path) -> None:
    write_images(tmp_path / "Ann_A", 3)
    with pytest.raises(
        DataError, match="folders of 30 to 100 images of 2 people or more expected, found 0 among 1 fol"
    ):
        load("lfw", tmp_path)


def test_a_damaged_face_is_named(tmp_path: Path) -> None:
    for person in ("Ann_A", "Bob_B"):
        write_images(tmp_path / person, 30)
    damaged = tmp_path / "Bob_B" / "Bob_B_0007.png"
    damaged.write_bytes(damaged.read_bytes()[:500])
    with pytest.raises(DataError, match=r"Bob_B_0007.png: an image file expected, found .*truncated"):
        load("lfw", tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0" + bytes(50), b"RIFF"])
def test_what_is_no_image(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(content)
    with pytest.raises(DataError, match=r"x.jpg: an image file expected, found no image that Pillow knows") as error:
        decode(tmp_path / "x.jpg")
    assert "\n" not in str(error.value)


def test_damage_anywhere_in_an_image(tmp_path: Path) -> None:
    """Decoded all the same, or refused by name; nothing else is raised."""
    refused: list[str] = []
    for ending in (".png", ".JPEG", ".bmp", ".webp"):
        write_images(tmp_path / ending, 2, ending)
        content = next((tmp_path / ending).iterdir()).read_bytes()
        for i in range(0, len(content), 7):
            for variant in (content[:i], content[:i] + bytes([content[i] ^ 0x55]) + content[i + 1 :]):
                (tmp_path / f"x{ending}").write_bytes(variant)
                try:
                    decode(tmp_path / f"x{ending}")
                except DataError as error:
                    refused.append(str(error))
    assert len(refused) > 100
    assert not [message for message in refused if "\n" in message]


def test_an_image_too_large_to_be_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_images(tmp_path, 1)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    with pytest.raises(DataError, match="decompression bomb"):
        decode(next(tmp_path.iterdir()))


def test_classes_in_folders(tmp_path: Path) -> None:
    data = load("image-folder", classes(tmp_path), size=16)
    assert (data.shape, data.classes, data.augment) == ((3, 16, 16), ("n01", "n02", "n03"), None)
    assert (len(data.train), len(data.validation), len(data.test)) == (33, 3, 12)
    assert data.test.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    for part in (data.validation, data.test):
        np.testing.assert_array_equal(arrays(part)[0], arrays(part)[0])
    first, second = arrays(data.train)[0], arrays(data.train)[0]
    assert first.shape == (33, 3, 16, 16)
    assert (first != second).any((1, 2, 3)).all()
    assert load("image-folder", tmp_path).shape == (3, 224, 224)


def test_workers_decode(tmp_path: Path) -> None:
    data = load("image-folder", classes(tmp_path), size=8)
    found = []
    for _ in range(2):
        generator = torch.Generator().manual_seed(3)
        loader = DataLoader(data.train, 8, shuffle=True, num_workers=2, generator=generator)
        found.append(torch.cat([x for x, _ in loader]))
    assert torch.equal(*found)
    assert found[0].shape == (33, 3, 8, 8)
    images = torch.cat([x for x, _ in DataLoader(data.test, 5, num_workers=1)])
    np.testing.assert_array_equal(images.numpy(), arrays(data.test)[0])


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_image_is_named_in_one_line(workers: int, tmp_path: Path) -> None:
    data = load("image-folder", classes(tmp_path), size=8)
    damaged = tmp_path / "val" / "n02" / "n02_0003.png"
    damaged.write_bytes(b"")
    with pytest.raises(DataError) as error:
        list(DataLoader(data.test, 4, num_workers=workers))
    assert str(error.value) == f"{damaged}: an image file expected, found no image that Pillow knows"


def test_random_parts_stay_inside_and_within_their_bounds(tmp_path: Path) -> None:
    image = Image.new("RGB", (200, 100))
    torch.manual_seed(0)
    boxes = np.array([random_part(image) for _ in range(2000)])
    left, top, right, bottom = boxes.T
    assert left.min() >= 0 <= top.min()
    assert right.max() <= 200
    assert bottom.max() <= 100
    area, aspect = (right - left) * (bottom - top) / 20000, (right - left) / (bottom - top)
    assert 0.1 <= area.min() + 1e-9 < 0.12
    assert 0.8 <= aspect.min() + 1e-9 < 0.82
    assert 1.22 < aspect.max() <= 1.25 + 1e-9
    assert random_part(Image.new("RGB", (1000, 10))) == (495, 0, 505, 10)


def test_folders_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="train: a folder of images expected, found No such file"):
        load("image-folder", tmp_path)
    classes(tmp_path, 2, 1)
    (tmp_path / "val" / "n04").mkdir()
    with pytest.raises(DataError, match=r"val: the classes of train/ expected, found a difference in 'n04'"):
        load("image-folder", tmp_path)
    (tmp_path / "train" / "n04").mkdir()
    (tmp_path / "train" / "n04" / "readme.txt").write_text("none")
    with pytest.raises(DataError, match="n04: image files expected, found none"):
        load("image-folder", tmp_path)
    with pytest.raises(UsageError, match="size: one pixel or more expected, found 0"):
        load("image-folder", tmp_path, size=0)


def test_a_split_of_other_files_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    load("image-folder", classes(tmp_path), split=path)
    image = tmp_path / "train" / "n01" / "n01_0001.JPEG"
    image.rename(image.with_name("other.JPEG"))
    with pytest.raises(DataError, match="a split of other images: digest"):
        load("image-folder", tmp_path, split=path)


def test_missing_pillow_names_the_extra(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['PIL'] = None; from pathlib import Path; from onnx2snn.training.data import load;"
        f"load('lfw', Path({str(tmp_path)!r}))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "MissingExtraError: reading image files needs Pillow: pip install 'onnx2snn[train]'" in result.stderr
