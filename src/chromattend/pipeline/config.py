"""Checking a configuration against its schema, with messages for users."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import jsonschema
import yaml

from chromattend.errors import Collected, UserError, did_you_mean

# The loader in C, where there is one, is ten times as fast.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# The parts that a configuration was merged from, the one that wins first: the name of each, and what it gives.
Parts = Sequence[tuple[str, Mapping[str, Any]]]
# Names a key and the file, or other part of the configuration, that gives it.
Place = Callable[[str], str]


def read_yaml(path: Path) -> Any:
    """Read a YAML file of the project, such as a schema."""
    return yaml.load(path.read_text(encoding="utf-8"), _Loader)


def read_parts(files: Sequence[str | Path], command_line: Mapping[str, Any]) -> Parts:
    """Read the parts of a configuration.

    Args:
        files: YAML or JSON files, from the one that wins.
        command_line: the keys of Snakemake's `--config`, which win over all files.

    Raises:
        UserError: a file has a key twice. YAML keeps the last one.
    """
    parts: list[tuple[str, Mapping[str, Any]]] = [("the command line (--config)", command_line)]
    for path in files:
        text = Path(path).read_text(encoding="utf-8-sig")
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            content = loader.construct_document(node) if node else None
        except yaml.YAMLError:  # Snakemake has read it, so it is a template of YAML or JSON with tabs
            continue
        for key, first, second in _given_twice(node):
            raise UserError(f"{path}: key {key!r} is given twice, in lines {first} and {second}; remove one")
        if isinstance(content, dict):
            parts.append((str(path), content))
    return parts


def _given_twice(node: yaml.Node | None, path: str = "") -> Iterator[tuple[str, int, int]]:
    """Yield each key that a mapping has twice, and both lines."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _given_twice(item, path)
    if isinstance(node, yaml.MappingNode):
        lines: dict[tuple[str, str], int] = {}
        for key, value in node.value:
            full, line = f"{path}{key.value}", key.start_mark.line + 1
            first = lines.setdefault((key.tag, str(key.value)), line)
            if first != line:
                yield full, first, line
            yield from _given_twice(value, f"{full}.")


def read_merged(files: Sequence[Path]) -> dict[str, Any]:
    """Read configuration files, and merge them as Snakemake does: a later file wins, key by key.

    Raises:
        UserError: a file does not exist, is not valid YAML, or has no keys.
    """
    merged: dict[str, Any] = {}
    errors = Collected()
    for path in files:
        with errors.check():
            try:
                content = yaml.load(path.read_text(encoding="utf-8-sig"), _Loader)
            except OSError as error:
                raise UserError(f"{path}: {error.strerror}; correct the path") from None
            except UnicodeDecodeError:
                raise UserError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
            except yaml.MarkedYAMLError as error:
                mark = error.problem_mark or error.context_mark
                line = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
                raise UserError(
                    f"{path}: {line}is not valid YAML ({error.problem}); correct it: keys end with a colon and a "
                    "blank, are indented by blanks, and brackets and quotes are closed"
                ) from None
            if not isinstance(content, dict):
                raise UserError(f"{path}: has no keys; write lines such as 'epigenomes: samples.tsv'")
            _merge(merged, content)
    errors.report()
    return merged


def typed(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any] | None = None) -> Any:
    """Return values of Snakemake's `--config` with the types that a schema asks for.

    Snakemake reads `--config 'interpret={genes: 20}'` as text below the first key: `20` stays `"20"`.

    Args:
        value: a mapping, list or value as Snakemake gives it.
        schema: its JSON schema.
        root: the schema with `$defs`; by default `schema`.
    """
    root = schema if root is None else root
    if "$ref" in schema:
        schema = root["$defs"][str(schema["$ref"]).rpartition("/")[2]] | schema
    if isinstance(value, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        others = others if isinstance(others, dict) else {}
        return {key: typed(each, known.get(key, others), root) for key, each in value.items()}
    if isinstance(value, list):
        return [typed(each, schema.get("items", {}), root) for each in value]
    kinds = schema.get("type", "string")
    if not isinstance(value, str) or ("string" in kinds and (value != "null" or "null" not in kinds)):
        return value
    try:
        return yaml.load(value, _Loader)
    except yaml.YAMLError:
        return value


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with the keys of another, which wins, key by key."""
    result = copy.deepcopy(dict(base))
    _merge(result, over)
    return result


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value


def part_of(key: str, parts: Parts, default: str) -> str:
    """Return the name of the part that gives a key, such as `bins.size` or `marks.0`; the default if none does."""
    return next((name for name, content in parts if _gives(content, key)), default)


def _gives(content: Any, key: str) -> bool:
    for name in key.split("."):
        if not isinstance(content, Mapping):
            return True  # a list or value, which one part gives as a whole
        named = {str(known): value for known, value in content.items()}
        if name not in named:
            return False
        content = named[name]
    return True


def with_defaults(value: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a configuration with the schema's defaults for missing keys, at every level."""
    filled = dict(value)
    for key, part in schema.get("properties", {}).items():
        if part.get("type") == "object" and isinstance(filled.get(key, {}), dict):
            filled[key] = with_defaults(filled.get(key, {}), part)
        elif "default" in part:
            filled.setdefault(key, part["default"])
    return filled


# JSON Schema accepts 100.0 as an integer, and YAML has .inf and .nan as numbers; code that counts does not.
_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: type(value) is int,
            "number": lambda _, value: type(value) in (int, float) and math.isfinite(value),
        }
    ),
)


def check(instance: dict[str, Any], schema: dict[str, Any], where: Callable[[str], str]) -> None:
    """Raise a `UserError` of one line for each violation of a schema.

    Args:
        instance: the configuration, or another mapping.
        schema: its JSON schema. A key with a `pattern` says in `expected` what it may be.
        where: names the file or line that has a key.
    """
    errors = Collected()
    for violation in _Validator(_one_dialect(schema)).iter_errors(instance):
        error = jsonschema.exceptions.best_match([violation])
        key = ".".join(str(part) for part in error.absolute_path)
        unknown = [""]
        if error.validator == "additionalProperties":
            unknown = [str(name) for name in error.instance if name not in error.schema["properties"]]
        for name in unknown:
            full = f"{key}.{name}" if key and name else key or name
            errors.add(f"{where(full)}: {_explain(error, full)}")
    errors.report()


@dataclass(frozen=True)
class Section:
    """A track's section of the configuration.

    Attributes:
        name: its key.
        config: the configuration with this section alone, with the schema's defaults filled in.
        schema: JSON schema of `config`.
        part: names the file, or other part of the configuration, that gives a key.
    """

    name: str
    config: dict[str, Any]
    schema: dict[str, Any]
    part: Callable[[str], str]

    @classmethod
    def of(cls, config: Mapping[str, Any], name: str, schema: dict[str, Any], part: Callable[[str], str]) -> Self:
        """Take a section, with its schema, out of the merged configuration."""
        whole = {"$defs": schema["$defs"], "type": "object", "properties": {name: schema}}
        return cls(name, with_defaults({name: config.get(name) or {}}, whole), whole, part)

    @property
    def values(self) -> dict[str, Any]:
        """The section's keys."""
        values: dict[str, Any] = self.config[self.name]
        return values

    def at(self, key: str) -> str:
        """Name a key of the section and what gives it."""
        return f"{self.part(f'{self.name}.{key}')}: key '{self.name}.{key}'"

    def check(self) -> None:
        """Check the section, see `check`."""
        check(self.config, self.schema, self.part)


def _one_dialect(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without `$schema` in its parts, which would be checked by another validator's types."""
    return {
        key: _one_dialect(part) if isinstance(part, dict) else part for key, part in schema.items() if key != "$schema"
    }


def _explain(error: jsonschema.ValidationError, key: str) -> str:
    """Turn a schema violation into one line that names the key, the value and the fix."""
    value = f"key {key!r}: {error.instance!r}"
    expected: Any = error.validator_value
    keys = sorted(error.schema.get("properties", {}))
    if error.validator == "additionalProperties":
        return f"unknown key {key!r}{did_you_mean(key.split('.')[-1], keys)}; the keys here are {', '.join(keys)}"
    if error.validator == "required":
        name = next(name for name in expected if name not in error.instance)
        return f"key {name!r} is missing; add it"
    if error.validator == "enum":
        choices = ", ".join(str(choice) for choice in expected)
        return f"{value} is not valid{did_you_mean(str(error.instance), expected)}; choose one of {choices}"
    if error.validator == "type":
        kinds = expected if isinstance(expected, list) else [expected]
        # YAML reads 1e-3 as a string.
        hint = " (write 1e-3 as 0.001)" if isinstance(error.instance, str) else ""
        if "string" in kinds and isinstance(error.instance, int | float):
            hint = " (put a name in quotes: YAML reads 001 as a number, and on as true)"
        return f"{value} has the wrong type; give {' or '.join(_KINDS[kind] for kind in kinds)}{hint}"
    if error.validator == "uniqueItems":
        doubled = next(item for item in error.instance if error.instance.count(item) > 1)
        return f"key {key!r}: {doubled!r} is given twice; remove one"
    if error.validator in _BOUNDS:
        return f"{value} is out of range; give {_BOUNDS[error.validator]} {expected}"
    if error.validator == "pattern":
        return f"{value} is not valid; give {error.schema['expected']}"
    return f"{value}: {error.message}; see config/README.md for valid values"


_KINDS = {
    "integer": "an integer",
    "number": "a number",
    "string": "a string",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping of keys",
    "null": "null",
}
_BOUNDS = {
    "minimum": "a number of at least",
    "maximum": "a number of at most",
    "exclusiveMinimum": "a number above",
    "exclusiveMaximum": "a number below",
    "minItems": "a list with a length of at least",
    "maxItems": "a list with a length of at most",
}
