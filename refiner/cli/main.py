"""The command `refiner`: finds the verb, builds its options from the function's signature, reports errors.

A verb is a plain function in a file of its own. Its signature gives the options (positional arguments are named in the
table below, everything else is `--with-dashes`), its docstring the help. `train` is Lightning's own command line.
"""

import errno
import importlib
import inspect
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from refiner import __version__
from refiner.errors import RefinerError, UsageError

# Read when torch's OpenMP library is loaded, so it must be set before any verb imports torch. Its threads spin while
# they wait, which on a machine with other work makes training ten times slower (measured: 1 update/s instead of 14).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@dataclass(frozen=True)
class Verb:
    """One word of the command: where its function is, and which of its parameters are positional.

    Attributes:
        summary: A line for the overview.
        module: Where its function is.
        positionals: Parameters that are given by place.
        own_parser: Whether it reads its words itself.
        gone: Options that it had, and what to do instead.
    """

    summary: str
    module: str
    positionals: tuple[str, ...] = ()
    own_parser: bool = False
    gone: Mapping[str, str] = field(default_factory=dict)


_OF_THE_CAMERA = (
    "windows, blur and shadows follow from the camera. Name it when the recording is prepared, for example `refiner "
    "prepare --camera kinect1`; the set remembers it"
)

VERBS: dict[str, Verb] = {
    "render": Verb(
        "Render posed hands with exact labels.",
        "refiner.cli.render",
        ("out",),
        gone=dict.fromkeys(("--window-px", "--blur-px", "--shadow"), _OF_THE_CAMERA)
        | {"--jitter-deg": "hands that were turned and bent a little were no gain. Leave it out"},
    ),
    "prepare": Verb("Find, crop and store the hands of real depth maps.", "refiner.cli.prepare", ("src", "out")),
    "measure": Verb("Show what a set's maps tell about their camera.", "refiner.cli.measure", ("dataset",)),
    "fit": Verb(
        "Find the hand behind each map of a recording, without labels.",
        "refiner.cli.fit",
        ("src", "out"),
        gone={
            "--window-px": _OF_THE_CAMERA,
            "--skin-mm": "it made refined maps easier to detect. Leave it out",
        },
    ),
    "train": Verb("Train a SimGAN refiner.", "refiner.cli.train", own_parser=True),
    "refine": Verb(
        "Pass a whole dataset through a trained refiner.", "refiner.cli.refine", ("checkpoint", "src", "out")
    ),
    "evaluate": Verb("Say how real a refined set looks, without labels.", "refiner.cli.evaluate"),
    "turing": Verb("Ask a person which maps are real.", "refiner.cli.turing", ("real", "refined")),
    "pose": Verb("Train a pose estimator, predict joints, measure them.", "refiner.cli.pose", own_parser=True),
    "annotate": Verb(
        "Label a few frames of a depth sequence, find the joints of all.", "refiner.cli.annotate", own_parser=True
    ),
    "inspect": Verb("Say what a dataset holds and whether it is whole.", "refiner.cli.inspect", ("dataset",)),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one verb.

    Args:
        arguments: The words after `refiner`; the process's own where nothing is given.

    Returns:
        0 done, 1 a check failed, 2 usage or bad input.
    """
    _be_quiet()
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    if not words or words[0] in ("-h", "--help"):
        print(_overview())
        return 0 if words else 2
    if words[0] == "--version":
        print(f"depth-refiner {__version__}")
        return 0
    try:
        return _run_verb(words[0], words[1:])
    except RefinerError as error:
        if debug:
            raise
        print(f"refiner {words[0]}: {error}", file=sys.stderr)
    except OSError as error:
        if debug or error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        place = f" ({error.filename})" if error.filename else ""
        print(
            f"refiner {words[0]}: cannot write: {error.strerror}{place}. What is written so far is whole; make room or "
            "mend the permissions, then run the same command again to continue.",
            file=sys.stderr,
        )
    except KeyboardInterrupt:
        print(f"refiner {words[0]}: interrupted; the same command continues the work.", file=sys.stderr)
        return 130
    return 2


def run() -> None:
    """Run as a process: exit with the status of `main`."""
    try:
        sys.exit(main())
    except BrokenPipeError:  # the reader, say `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _be_quiet() -> None:
    """Keep image libraries from writing about single files: what is wrong with one is said where it is read."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # read when cv2 is first imported
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)


def _overview() -> str:
    width = max(map(len, VERBS))
    lines = [f"  {name:<{width}}  {verb.summary}" for name, verb in VERBS.items()]
    return "\n".join(
        ["usage: refiner VERB ... [--debug]", "", *lines, "", "`refiner VERB --help` lists the options of a verb."]
    )


def _run_verb(name: str, words: list[str]) -> int:
    if name not in VERBS:
        raise UsageError(f"Found the verb {name!r}, wanted one of {', '.join(VERBS)}. See `refiner --help`.")
    verb = VERBS[name]
    module = importlib.import_module(verb.module)
    if verb.own_parser:
        return module.main(words)
    for word in words:
        if (option := word.partition("=")[0]) in verb.gone:
            raise UsageError(f"{option} is gone: {verb.gone[option]}.")
    return call(name, getattr(module, name), verb.positionals, words)


def call(name: str, function: Callable[..., Any], positionals: tuple[str, ...], words: list[str]) -> int:
    """Call a verb's function with options made of its signature; give its status.

    Raises:
        UsageError: The words do not fit.
    """
    return function(**_parse(name, positionals, function, words)) or 0


def _parse(name: str, positionals: tuple[str, ...], function: Callable[..., Any], words: list[str]) -> dict[str, Any]:
    from jsonargparse import ArgumentError, ArgumentParser, Namespace

    parser = ArgumentParser(prog=f"refiner {name}", description=_summary(function), exit_on_error=False)
    help_texts = _parameter_help(function)
    parameters = inspect.signature(function, eval_str=True).parameters
    for parameter in parameters.values():
        options: dict[str, Any] = {"type": parameter.annotation, "help": help_texts.get(parameter.name, "")}
        if parameter.name in positionals:
            parser.add_argument(parameter.name, **options)
        elif parameter.annotation is bool:
            parser.add_argument(_flag(parameter.name), action="store_true", help=options["help"])
        else:
            required = parameter.default is inspect.Parameter.empty
            options |= {"required": True} if required else {"default": parameter.default}
            parser.add_argument(_flag(parameter.name), **options)
    try:
        parsed: Namespace = parser.parse_args(words)
    except ArgumentError as error:
        text = " ".join(str(error).split())
        raise UsageError(f"{text} See `refiner {name} --help`.") from None
    return {parameter: parsed[parameter] for parameter in parameters}


def _flag(parameter: str) -> str:
    return "--" + parameter.replace("_", "-")


def _summary(function: Callable[..., Any]) -> str:
    return re.split(r"\n\s*(?:Args|Returns|Raises):\n", inspect.getdoc(function) or "")[0].strip()


def _parameter_help(function: Callable[..., Any]) -> dict[str, str]:
    from docstring_parser import parse

    return {p.arg_name: p.description or "" for p in parse(inspect.getdoc(function) or "").params}
