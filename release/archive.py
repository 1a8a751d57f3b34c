#!/usr/bin/env python3
"""Packs one built program with its pages into DIST/devrun-TARGET.tar.gz, for Windows .zip.

    archive.py TARGET BINARY PAGES DIST

The same files give the same bytes: sorted names, no owner, one date, modes that no umask changes.
"""

import gzip
import io
import pathlib
import sys
import tarfile
import zipfile

DATE = 315532800  # the first day that a zip can name: 1 January 1980
ROOT = pathlib.Path(__file__).resolve().parent.parent


def entries(target, binary, pages):
    """(name in the archive, contents, mode), sorted."""
    name = "devrun.exe" if "-windows-" in target else "devrun"
    found = [(name, pathlib.Path(binary), 0o755)]
    found += [(name, ROOT / name, 0o644) for name in ("LICENSE", "README.md")]
    found += [(f"pages/{page.name}", page, 0o644) for page in pathlib.Path(pages).iterdir()]
    return sorted((f"devrun-{target}/{name}", path.read_bytes(), mode) for name, path, mode in found)


def tar_gz(out, files):
    with gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=DATE) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, contents, mode in files:
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode, entry.mtime = len(contents), mode, DATE
                tar.addfile(entry, io.BytesIO(contents))


def zipped(out, files):
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, contents, mode in files:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, mode << 16
            archive.writestr(entry, contents, zipfile.ZIP_DEFLATED)


def main(target, binary, pages, dist):
    write, suffix = (zipped, "zip") if "-windows-" in target else (tar_gz, "tar.gz")
    archive = pathlib.Path(dist) / f"devrun-{target}.{suffix}"
    with open(archive, "wb") as out:
        write(out, entries(target, binary, pages))
    size = pathlib.Path(binary).stat().st_size
    print(f"{archive.name}: {archive.stat().st_size:,} bytes, the program {size:,}")


main(*sys.argv[1:])
