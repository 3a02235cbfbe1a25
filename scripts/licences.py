#!/usr/bin/env python3
"""Prints the licences of all crates that are in the program, each text once, with the crates that it is of."""
import collections
import json
import pathlib
import subprocess

def main() -> None:
    metadata = json.loads(subprocess.check_output(["cargo", "metadata", "--format-version", "1", "--locked"]))
    own = set(metadata["workspace_members"])
    texts = collections.defaultdict(list)
    for package in sorted(metadata["packages"], key=lambda p: (p["name"], p["version"])):
        if package["id"] in own:
            continue
        name = f"{package['name']} {package['version']} ({package['license'] or 'see text'})"
        folder = pathlib.Path(package["manifest_path"]).parent
        files = sorted(f for f in folder.iterdir() if f.is_file() and f.name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE")))
        if not files:
            texts[""].append(name)
        for file in files:
            texts[file.read_text(errors="replace").strip()].append(name)
    for text, names in sorted(texts.items(), key=lambda item: item[1][0]):
        print("=" * 78)
        print("\n".join(dict.fromkeys(names)))
        print("-" * 78)
        print(text or "No text is shipped with these crates; the name of the licence is above.")
        print()

main()
