"""Images made by hand: layers as tars, OCI layouts, archives as `docker save` writes them, and a store to import them into."""
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path


OCI = "application/vnd.oci.image"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Layer:
    """A tar in memory. Each method adds an entry; entries are as they are given, however wrong."""

    def __init__(self, format=tarfile.PAX_FORMAT):
        self._bytes = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._bytes, mode="w", format=format)

    def add(self, name, kind=tarfile.REGTYPE, data=b"", **fields):
        entry = tarfile.TarInfo(name)
        entry.type = kind
        entry.size = len(data)
        entry.mtime = fields.pop("mtime", 1_700_000_000)
        entry.mode = fields.pop("mode", 0o755 if kind == tarfile.DIRTYPE else 0o644)
        for field, value in fields.items():
            setattr(entry, field, value)
        self._tar.addfile(entry, io.BytesIO(data))
        return self

    def file(self, name, text="", **fields):
        return self.add(name, data=text.encode() if isinstance(text, str) else text, **fields)

    def folder(self, name, **fields):
        return self.add(name, tarfile.DIRTYPE, **fields)

    def link(self, name, target, **fields):
        return self.add(name, tarfile.SYMTYPE, linkname=target, **fields)

    def hard_link(self, name, target, **fields):
        return self.add(name, tarfile.LNKTYPE, linkname=target, **fields)

    def tar(self):
        self._tar.close()
        return self._bytes.getvalue()


def busybox_layer():
    layer = Layer().folder("bin").folder("etc").folder("proc").folder("dev").folder("sys").folder("tmp", mode=0o1777)
    layer.file("bin/busybox", Path("/bin/busybox").read_bytes(), mode=0o755)
    for applet in "sh ls cat id mount echo stat sleep true touch rm mkdir dd df test pwd env".split():
        layer.link(f"bin/{applet}", "busybox")
    layer.file("etc/passwd", "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n")
    layer.file("etc/group", "root:x:0:\napp:x:1001:\nextra:x:2000:app\n")
    return layer.tar()


# "wide": the largest window that is taken, 32 MiB.
ZSTD_OPTIONS = {"zstd": ["-1"], "zstd-wide": ["-1", "--long=25"]}


def compress(tar, how):
    if how == "gzip":
        return gzip.compress(tar, 1, mtime=0), "+gzip"
    if how in ZSTD_OPTIONS:
        return subprocess.run(["zstd", "-q", "-c", *ZSTD_OPTIONS[how]], input=tar, stdout=subprocess.PIPE, check=True).stdout, "+zstd"
    return tar, ""


class Image:
    """Layers (plain tars) and a configuration; written as a layout or as an archive."""

    def __init__(self, *layers, how="none", architecture=ARCHITECTURE, **config):
        self.tars = list(layers)
        self.how = how
        self.config = {"architecture": architecture, "os": "linux", "config": config,
                       "rootfs": {"type": "layers", "diff_ids": [sha256(tar) for tar in layers]},
                       "history": [{"created_by": "a test"} for _ in layers]}
        self.platform = {"os": "linux", "architecture": architecture}

    def documents(self):
        """(manifest, {digest: bytes})"""
        blobs = {}

        def put(data, kind):
            blobs[sha256(data)] = data
            return {"mediaType": kind, "digest": sha256(data), "size": len(data)}

        layers = []
        for tar in self.tars:
            data, suffix = compress(tar, self.how)
            layers.append(put(data, f"{OCI}.layer.v1.tar{suffix}"))
        manifest = {"schemaVersion": 2, "mediaType": f"{OCI}.manifest.v1+json",
                    "config": put(json.dumps(self.config).encode(), f"{OCI}.config.v1+json"), "layers": layers}
        return manifest, blobs

    def layout(self, path, change=lambda manifest, blobs: None, others=(), name="latest"):
        """An OCI layout at `path`. `change` may spoil it; `others` are further images of the index, for other platforms."""
        path = Path(path)
        (path / "blobs/sha256").mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        descriptors = []
        for image in (self, *others):
            manifest, blobs = image.documents()
            if image is self:
                change(manifest, blobs)
            text = json.dumps(manifest).encode()
            blobs[sha256(text)] = text
            descriptors.append({"mediaType": f"{OCI}.manifest.v1+json", "digest": sha256(text), "size": len(text),
                                "platform": image.platform,
                                "annotations": {"org.opencontainers.image.ref.name": name}})
            for digest, data in blobs.items():
                (path / "blobs/sha256" / digest.partition(":")[2]).write_bytes(data)
        (path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": descriptors}))
        return path

    def docker_archive(self, path, name="example:1"):
        config = json.dumps(self.config).encode()
        names = {"config": sha256(config)[7:] + ".json"}
        with tarfile.open(path, "w") as tar:
            def put(file, data):
                entry = tarfile.TarInfo(file)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
            for number, layer in enumerate(self.tars):
                put(f"{number}/layer.tar", layer)
            put(names["config"], config)
            put("manifest.json", json.dumps([{"Config": names["config"], "RepoTags": [name],
                                              "Layers": [f"{number}/layer.tar" for number in range(len(self.tars))]}]).encode())
        return Path(path)


class ImageStore:
    """`brig image` on a store of its own."""

    def __init__(self, runtime, path):
        self.runtime = runtime
        self.path = Path(path)

    def ok(self, verb, *arguments, **options):
        return self.runtime.ok("image", verb, "--store", self.path, *arguments, **options)

    def fails(self, verb, *arguments, **options):
        return self.runtime.fails("image", verb, "--store", self.path, *arguments, **options)

    def json(self, verb, *arguments, **options):
        return json.loads(self.ok(verb, "--json", *arguments, **options).out)

    def names(self):
        return [row["name"] for row in self.json("list")]

    def layers(self, image):
        """Folders of its layers, lowest first."""
        return [Path(path) for path in self.json("inspect", image)["layerDirectories"]]

    def is_sound(self):
        """The store verifies, and a prune leaves nothing of what was being made."""
        assert self.json("verify") == []
        self.ok("prune")
        assert self.json("verify") == []
        assert sorted(os.listdir(self.path / "tmp")) == []

    def content(self):
        """Every file of the store, to see that a refusal changed nothing."""
        return sorted(str(path.relative_to(self.path)) for path in self.path.rglob("*") if "locks" not in path.parts)


def run_image(store, *arguments, **options):
    return store.runtime.call("run", "--store", store.path, *arguments, **options)


def host_command(*argv):
    """A program of the host; it says why when it fails."""
    result = subprocess.run(list(map(str, argv)), capture_output=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"}, check=False)
    assert result.returncode == 0, f"{' '.join(map(str, argv))}: {result.stderr}"
    return result
