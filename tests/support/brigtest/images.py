"""The sandbox images of the checkout, made where they are not there yet.

BRIG_TEST_IMAGES limits a run to some of them, as `make test` does: making all takes minutes.
"""
import functools
import json
import os
import subprocess

from . import settings

BUILD = settings.CHECKOUT / "images" / "build"
ALL = subprocess.run([BUILD, "--list"], capture_output=True, text=True, check=True).stdout.split()
WANTED = os.environ.get("BRIG_TEST_IMAGES", " ".join(ALL)).split()


class Image:
    def __init__(self, name, folder):
        self.name = name
        self.folder = folder / name
        self.rootfs = self.folder / "rootfs"
        self.layout = self.folder / "oci"
        self.archive = folder / f"{name}.tar"

    @property
    def digest(self):
        return (self.folder / "digest").read_text().strip()

    @property
    def index(self):
        return json.loads((self.layout / "index.json").read_text())

    @property
    def manifest(self):
        return self.document(self.index["manifests"][0])

    @property
    def config(self):
        return self.document(self.manifest["config"])

    def blob(self, descriptor):
        return self.layout / "blobs" / descriptor["digest"].replace(":", "/")

    def document(self, descriptor):
        return json.loads(self.blob(descriptor).read_text())


@functools.cache
def make_image(name):
    folder = settings.CHECKOUT / "build" / "images"
    result = subprocess.run([BUILD, name, folder], capture_output=True, text=True, timeout=580, check=False)
    assert result.returncode == 0, result.stderr
    return Image(name, folder)
