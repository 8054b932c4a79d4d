"""Executes golden bundles and compares every integer.

    python run_bundle.py DIR...

Exit code 0 if all values of all bundles are equal and there were some, 1 otherwise.
"""

import sys

import bundle


def main(folders):
    failed = not folders
    for folder in folders:
        manifest = bundle.read(folder)
        compared, wrong = bundle.compare(manifest)
        print(f"{folder}: {len(manifest['nodes'])} nodes, {compared} values compared, {len(wrong)} parts differ")
        print("".join(f"  {line}\n" for line in wrong), end="")
        failed |= bool(wrong) or compared == 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
