#!/usr/bin/env python3
"""Prints what is in the program beside its own source.

    dependencies.py licences [FEATURE...]   the licences of all crates, each text once, with the crates that it is of
    dependencies.py sbom [FEATURE...]       a software bill of materials, CycloneDX 1.5 in JSON

What is only needed to build or to test is left out. The same sources give the same bytes.
"""

import collections
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import uuid

PROGRAM = "labwatch"
LICENCE_FILES = ("LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE")


def metadata(features):
    target = re.search(r"^host: (.*)$", subprocess.check_output(["rustc", "-vV"], text=True), re.MULTILINE).group(1)
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target]
    command += ["--no-default-features", "--features", ",".join(features)]
    return json.loads(subprocess.check_output(command))


def in_the_program(data):
    """The packages that are linked, by id, and for each the ids of those it uses."""
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    packages = {package["id"]: package for package in data["packages"]}
    root = next(id for id in data["workspace_members"] if packages[id]["name"] == PROGRAM)
    uses, waiting = {}, [root]
    while waiting:
        id = waiting.pop()
        if id in uses:
            continue
        uses[id] = sorted(dep["pkg"] for dep in nodes[id]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"]))
        waiting += uses[id]
    return root, packages, uses


def licences(features):
    data = metadata(features)
    _, packages, uses = in_the_program(data)
    own = set(data["workspace_members"])
    texts = collections.defaultdict(list)
    for package in sorted((packages[id] for id in uses if id not in own), key=lambda p: (p["name"], p["version"])):
        name = f"{package['name']} {package['version']} ({package['license'] or 'see text'})"
        folder = pathlib.Path(package["manifest_path"]).parent
        files = sorted(file for file in folder.iterdir() if file.is_file() and file.name.upper().startswith(LICENCE_FILES))
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


def checksums():
    """The SHA-256 of each crate, as the lock file has it."""
    found, crate = {}, {}
    for line in pathlib.Path("Cargo.lock").read_text().splitlines():
        if line == "[[package]]":
            crate = {}
        elif match := re.match(r'(name|version|checksum) = "(.*)"', line):
            crate[match[1]] = match[2]
            if match[1] == "checksum":
                found[crate["name"], crate["version"]] = match[2]
    return found


def component(package, sums):
    name, version = package["name"], package["version"]
    purl = f"pkg:cargo/{name}@{version}"
    entry = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if package["license"]:
        entry["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if (name, version) in sums:
        entry["hashes"] = [{"alg": "SHA-256", "content": sums[name, version]}]
    if package["repository"]:
        entry["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return entry


def sbom(features):
    root, packages, uses = in_the_program(metadata(features))
    sums = checksums()
    parts = {id: component(packages[id], sums) for id in uses}
    program = {**parts.pop(root), "type": "application"}
    refs = {id: f"pkg:cargo/{packages[id]['name']}@{packages[id]['version']}" for id in uses}
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    when = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    components = sorted(parts.values(), key=lambda part: part["bom-ref"])
    dependencies = [{"ref": refs[id], "dependsOn": sorted({refs[used] for used in used_ones})} for id, used_ones in uses.items()]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"timestamp": when, "component": program},
        "components": components,
        "dependencies": sorted(dependencies, key=lambda entry: entry["ref"]),
    }
    # A number that is this content's own, and the same at each build of it.
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document, sort_keys=True))}"
    print(json.dumps(document, indent=1))


def main():
    actions = {"licences": licences, "sbom": sbom}
    if len(sys.argv) < 2 or sys.argv[1] not in actions:
        sys.exit(__doc__)
    actions[sys.argv[1]](sys.argv[2:])


main()
