"""What commands take: every option once, and those of a run from a file too."""

from collections.abc import Mapping
from copy import copy
from difflib import get_close_matches
from typing import Any

import click
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError


class Command(click.Command):
    """A command that refuses an option given twice, of which click would keep the last alone."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments.

        Raises:
            click.UsageError: An option with one value is given more than once.
        """
        single = [each for each in self.params if isinstance(each, click.Option)]
        single = [each for each in single if not each.is_flag and not each.multiple]
        every = copy(self)
        every.params = [_repeatable(each) if each in single else each for each in self.params]
        given, _, _ = every.make_parser(ctx).parse_args(args=[*args])
        for option in single:
            values = given.get(option.name or "") or []
            if len(values) > 1:
                name, joined = option.opts[0], ",".join(map(str, values))
                text = option.type in (click.STRING, click.UNPROCESSED)
                how = f"write {name} {joined}" if text else "give it once"
                raise click.UsageError(f"{name} is given {len(values)} times: {how}", ctx)
        return super().parse_args(ctx, args)


def _repeatable(option: click.Option) -> click.Option:
    option = copy(option)
    option.multiple = True
    return option


def read_config(ctx: click.Context, _: click.Parameter, file: str | None) -> str | None:
    """Take the options that are not given from the file of `--config`, as Kedro does.

    Its level `run` has them by name; a list counts as the same text with commas.

    Raises:
        click.UsageError: The file is no such YAML, or names no option of the command.
    """
    if not file:
        return file
    try:
        said = OmegaConf.to_container(OmegaConf.load(file), resolve=True)
    except (OSError, OmegaConfBaseException, UnicodeDecodeError, YAMLError) as error:
        why = " ".join(str(error).split())
        raise click.UsageError(f"{file} cannot be read as YAML: {why}", ctx) from error
    level = ctx.info_name or ""
    options = said.get(level) if isinstance(said, dict) else None
    if not isinstance(options, dict):
        raise click.UsageError(
            f"{file} has no level {level!r} with options below it, as in "
            f"{level}: {{pipelines: [filtering], env: test}}",
            ctx,
        )
    known = {
        spelling.lstrip("-").replace("-", "_"): option
        for option in ctx.command.params
        for spelling in (*option.opts, option.name or "")
        if option.name != "config" and len(spelling) > len("-t")
    }
    read = {}
    for key, value in options.items():
        option = known.get(str(key).replace("-", "_"))
        if option is None:
            near = get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
            raise click.UsageError(f"{file}: {key!r} is no option of a {level}; {hint}", ctx)
        read[option.name] = _joined(value, option)
    ctx.default_map = {**(ctx.default_map or {}), **read}
    return file


def _joined(value: Any, option: click.Parameter) -> Any:
    """Return a value as it would be given on the command line; parameters as they are."""
    if option.type is click.UNPROCESSED:
        return value
    if isinstance(value, Mapping):
        value = [f"{key}:{each}" for key, each in value.items()]  # as --load-versions has them
    return ",".join(map(str, value)) if isinstance(value, list) else value
