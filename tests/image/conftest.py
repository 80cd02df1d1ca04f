import pytest

from brigtest.handmade_images import ImageStore


@pytest.fixture
def store(runtime, workdir):
    return ImageStore(runtime, workdir / "store")
