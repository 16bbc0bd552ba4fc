"""The documentation says what is so: its C programs compile and run, its links lead somewhere.

usage: check_docs.py SOURCE_ROOT LIBRARY_FOLDER; CC is the compiler.

A ```c block with a main() is a program. It is run in an empty folder with two arguments: a small
English text, a sentence a line with documents apart, and the name of a folder to write.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

root, library = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
compiler = os.environ.get("CC", "cc").split()
strict = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror"]
pages = [page for page in [root / "README.md", root / "lib/README.md", root / "examples/README.md",
                           *sorted((root / "docs").glob("*.md"))] if page.exists()]
count, failed = 0, False


def check(name, trouble):
    global count, failed
    count += 1
    failed = failed or bool(trouble)
    print("not ok" if trouble else "ok", count, "-", name)
    for line in trouble.splitlines():
        print("#", line)


def text_of_words():
    """Sentences with something to learn: a subject's verb and place follow from it."""
    sentences = [f"the {who} {does} in the {place} ."
                 for who, does, place in [("cat", "sleeps", "house"), ("fish", "swims", "river"),
                                          ("bird", "sings", "tree"), ("farmer", "works", "field")]]
    return "\n\n".join("\n".join(sentences[i % 4:] + sentences[:i % 4]) for i in range(200)) + "\n"


def run_program(source, folder):
    """Compiles and runs a program; returns what went wrong."""
    (folder / "program.c").write_text(source)
    (folder / "text.txt").write_text(text_of_words())
    commands = [[*compiler, *strict, "-I", str(root / "include"), "program.c", "-o", "program",
                 "-L", str(library), f"-Wl,-rpath,{library}", "-lmlm"],
                ["./program", "text.txt", "model"]]
    for command in commands:
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=240, check=False)
        if done.returncode:
            return f"{' '.join(command)}: status {done.returncode}\n{done.stdout}"
    return "" if done.stdout.strip() else "the program printed nothing"


for page in pages:
    name, text = str(page.relative_to(root)), page.read_text()
    for block in re.finditer(r"^```c\n(.*?)^```", text, flags=re.M | re.S):
        if "int main(" in block.group(1):
            line = text.count("\n", 0, block.start()) + 1
            with tempfile.TemporaryDirectory() as folder:
                check(f"{name}:{line}: the program runs",
                      run_program(block.group(1), pathlib.Path(folder)))
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    targets = re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", prose)
    check(f"{name}: the links lead somewhere",
          "\n".join(t for t in targets if not (page.parent / t).exists()))

programs = root / "examples/README.md"
if programs.exists():
    named = set(re.findall(r"`([a-z_/]+\.(?:c|cpp|py|sh))`", programs.read_text()))
    there = {str(path.relative_to(root / "examples")) for ending in ("c", "cpp", "py", "sh")
             for path in (root / "examples").rglob(f"*.{ending}")}
    check("examples/README.md names only programs that exist", "\n".join(sorted(named - there)))
index = (root / "docs/README.md").read_text()
check("docs/README.md has every page of docs/",
      "\n".join(page.name for page in (root / "docs").glob("*.md")
                if page.name != "README.md" and f"({page.name})" not in index))
number = r"(\d+)"
told = re.findall(rf"^\| (\w+) \| [^|]+ \| {number} \| {number} \| {number} \|$",
                  (root / "docs/tokenizer.md").read_text(), flags=re.M)
counted = re.findall(rf'\{{"(\w+)",\s*\{{\{{{number},[^}}]+\}}, \{{{number},[^}}]+\}}\}},\s*{number}\}}',
                     (root / "tests/text/profiles_fixture.h").read_text())
check("docs/tokenizer.md counts code points as the references do",
      "" if counted and told == counted else f"{told}\n{counted}")
main = re.search(r"^```c\n(.*?)^```", (root / "README.md").read_text(), flags=re.M | re.S)
check("README.md has a C program of at most 25 lines",
      "" if main and main.group(1).count("\n") <= 25 and "int main(" in main.group(1)
      else "none, or it is longer")
print(f"1..{count}")
sys.exit(failed)
