"""Convert a GGUF file to a model folder, as `teacher.pretrained` and `student.pretrained` take it.

python tools/convert_gguf.py FILE FOLDER [--sha256 HASH]
"""

import argparse
import sys
from pathlib import Path

from kd_kedro.models.gguf import convert_gguf


def main() -> int:
    """Convert, or say in one sentence why not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="the GGUF file")
    parser.add_argument("folder", type=Path, help="where the model goes")
    parser.add_argument("--sha256", default="", help="the hash that the file must have")
    args = parser.parse_args()
    try:
        convert_gguf(args.file, args.folder, args.sha256)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{args.folder} has the model of {args.file.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
