#!/usr/bin/python3
"""extract_kernel.py VMLINUZ VMLINUX: takes the ELF kernel out of its self-extracting wrapper.

QEMU boots an ELF file directly; unpacking in the emulated machine would take longer than the rest of the boot.
"""
import subprocess
import sys

ZSTD = b"\x28\xb5\x2f\xfd"


def unpacked(image):
    place = image.find(ZSTD)
    while place >= 0:
        # zstd complains of what comes after the packed part, and is right to.
        result = subprocess.run(["zstd", "-dcq"], input=image[place:], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        if result.stdout.startswith(b"\x7fELF"):
            return result.stdout
        place = image.find(ZSTD, place + 1)
    raise SystemExit("extract_kernel.py: no ELF kernel packed with zstd found")


def main():
    source, target = sys.argv[1:]
    with open(source, "rb") as file:
        kernel = unpacked(file.read())
    with open(target, "wb") as file:
        file.write(kernel)


main()
