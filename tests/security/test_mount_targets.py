"""Mount targets that lead out of the root: CVE-2019-18837, 2021-30465, 2024-45310.
Fixed links, and links that appear between the runtime's look and its mount."""
import json
import pathlib

import pytest

RACE_ROUNDS = 120
GAPS = {"runc": "CVE-2024-45310 is open before 1.1.14"}


def landed(outcome, name):
    """Where the mount of a source called `name` is in the container; None when the container was refused."""
    if outcome.code != 0:
        return None
    return [mount["target"] for mount in json.loads(outcome.out)["mounts"]
            if mount["root"].endswith(f"/{name}") or mount["source"] == name]


# {canary}/empty is a directory of the host; {canary}/made would be made there.
LINKS = {
    "absolute": ("/link/made", {"link": "{canary}"}),
    "climbing": ("/link/made", {"link": "../../../../../../../../..{canary}"}),
    "nested": ("/first/made", {"first": "second", "second": "dir/third", "dir/third": "{canary}"}),
    "last component": ("/dir/link", {"dir/link": "{canary}/empty"}),
    "climbing target": ("/dir/../../../../../../../..{canary}/made", {}),
    "climbing after a link": ("/link/../made", {"link": "{canary}/empty"}),
    "through proc": ("/link/made", {"link": "/proc/self/cwd/../../../..{canary}"}),
}


def make_links(bundle, links, canary):
    for link, destination in links.items():
        path = bundle.rootfs / link
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(destination.format(canary=canary.folder))


@pytest.mark.parametrize("kind", ["bind of a folder", "bind of a file", "tmpfs"])
@pytest.mark.parametrize("target_path, links", LINKS.values(), ids=LINKS.keys())
def test_link_out_of_the_root(target, attack_bundle, canary, workdir, target_path, links, kind):
    """The host's tree stays as it is; the container is refused or has its mount within the root."""
    bundle = attack_bundle().args("/bin/probe", "mounts")
    make_links(bundle, links, canary)
    (bundle.rootfs / "dir").mkdir(exist_ok=True)
    source = workdir / "source-of-the-mount"
    source.write_text("") if "file" in kind else source.mkdir()
    if "file" in kind and target_path == "/dir/link":
        pathlib.Path(canary.folder / "empty").rmdir()
        canary.folder.joinpath("empty").write_text("")
        canary.before = canary.listing()
    place = target_path.format(canary=canary.folder)
    if kind == "tmpfs":
        bundle.mount(place, "tmpfs", source.name, ["nosuid"])
    else:
        bundle.mount(place, "bind", source, ["bind"])
    outcome = target.run(bundle)
    breaches = canary.changes()
    if landed(outcome, source.name) == []:
        breaches.append("the mount is not in the container: it was made outside")
    target.judge(breaches)


def test_dangling_link(target, attack_bundle, canary, workdir):
    """A file is made where a dangling link points to: within the root, or not at all."""
    bundle = attack_bundle().args("/bin/probe", "mounts")
    make_links(bundle, {"link": "{canary}/made"}, canary)
    source = workdir / "source-of-the-mount"
    source.write_text("")
    target.run(bundle.mount("/link", "bind", source, ["bind"]))
    target.judge(canary.changes())


def race(target, bundle, canary, source, stop):
    """Starts the container again and again while the volume's entries swap; gives back (breaches, starts, swaps)."""
    breaches, started = [], 0
    for _ in range(RACE_ROUNDS):
        outcome = target.run(bundle, **({"linger": 300} if target.is_weak else {}))
        places = landed(outcome, source.name)
        started += places is not None
        if places == []:
            breaches.append("a mount was made outside of the root")
        if target.is_weak and breaches:
            break
    swaps = stop()
    print(f"{RACE_ROUNDS} starts, {started} of them succeeded, during {swaps} swaps")
    return breaches + canary.changes(), started, swaps


@pytest.mark.parametrize("outside", ["{canary}", "../../../../../../../..{canary}", "/"])
def test_race_for_a_mount_target(target, attack_bundle, canary, workdir, swapper, outside):
    """A shared volume whose directory changes places with a link to the host while mounts are made below it."""
    volume, source = workdir / "volume", workdir / "source-of-the-mount"
    (volume / "place").mkdir(parents=True)
    source.mkdir()
    (volume / "link").symlink_to(outside.format(canary=canary.folder))
    bundle = attack_bundle().args("/bin/probe", "mounts")
    (bundle.rootfs / "volume").mkdir()
    bundle.mount("/volume", "bind", volume, ["bind", "rw"])
    # An own name per mount: what is made at "/" of the host would be seen there.
    bundle.mount(f"/volume/place/{workdir.name}-made", "bind", source, ["bind"])
    try:
        breaches, started, swaps = race(target, bundle, canary, source, swapper(volume / "place", volume / "link"))
    finally:
        made = remove_made(workdir)
    target.judge(breaches + made, exercised=swaps > 1000 and started > 0, gaps=GAPS)


def remove_made(workdir):
    """The directory that a lost race makes in the host's root."""
    path = pathlib.Path("/") / f"{workdir.name}-made"
    if not path.exists():
        return []
    path.rmdir()
    return [f"{path} was made on the host"]


def test_race_for_a_file_target(target, attack_bundle, canary, workdir, swapper):
    """CVE-2024-45310 with a file: an empty file must not appear on the host."""
    volume, source = workdir / "volume", workdir / "source-of-the-mount"
    (volume / "place").mkdir(parents=True)
    source.write_text("content")
    (volume / "link").symlink_to(canary.folder)
    bundle = attack_bundle().args("/bin/probe", "mounts")
    (bundle.rootfs / "volume").mkdir()
    bundle.mount("/volume", "bind", volume, ["bind", "rw"])
    bundle.mount("/volume/place/made", "bind", source, ["bind"])
    breaches, started, swaps = race(target, bundle, canary, source, swapper(volume / "place", volume / "link"))
    target.judge(breaches, exercised=swaps > 1000 and started > 0, gaps=GAPS)


def test_source_link_is_the_hosts_business(runtime, attack_bundle, workdir):
    """The reverse, so that the tests above cannot pass by refusing every link: a link in the root is followed in the root."""
    source = workdir / "source-of-the-mount"
    source.mkdir()
    bundle = attack_bundle().args("/bin/probe", "mounts")
    (bundle.rootfs / "inside").mkdir()
    (bundle.rootfs / "link").symlink_to("/inside")
    bundle.mount("/link/place", "bind", source, ["bind"])
    mounts = runtime.run(bundle).json()["mounts"]
    assert "/inside/place" in [mount["target"] for mount in mounts]
