"""Checking a configuration against its schema, with messages for users."""

from typing import Any

import jsonschema

from chromattend.errors import UserError, did_you_mean


def with_defaults(value: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a configuration with the schema's defaults for missing keys, at every level."""
    filled = dict(value)
    for key, part in schema.get("properties", {}).items():
        if part.get("type") == "object" and isinstance(filled.get(key, {}), dict):
            filled[key] = with_defaults(filled.get(key, {}), part)
        elif "default" in part:
            filled.setdefault(key, part["default"])
    return filled


# JSON Schema accepts 100.0 as an integer; code that counts does not.
_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int),
)


def check(instance: dict[str, Any], schema: dict[str, Any], where: str) -> None:
    """Raise a one-line `UserError` for the first violation of a schema; `where` names the file or line."""
    error = jsonschema.exceptions.best_match(_Validator(schema).iter_errors(instance))
    if error is not None:
        raise UserError(f"{where}: {_explain(error)}")


def _explain(error: jsonschema.ValidationError) -> str:
    """Turn a schema violation into one line that names the key, the value and the fix."""
    key = ".".join(str(part) for part in error.absolute_path)
    value = f"key {key!r}: {error.instance!r}"
    expected: Any = error.validator_value
    keys = sorted(error.schema.get("properties", {}))
    if error.validator == "additionalProperties":
        name = next(name for name in error.instance if name not in keys)
        full = f"{key}.{name}" if key else str(name)
        return f"unknown key {full!r}{did_you_mean(str(name), keys)}; the keys here are {', '.join(keys)}"
    if error.validator == "required":
        name = next(name for name in expected if name not in error.instance)
        return f"key {name!r} is missing; add it"
    if error.validator == "enum":
        choices = ", ".join(str(choice) for choice in expected)
        return f"{value} is not valid{did_you_mean(str(error.instance), expected)}; choose one of {choices}"
    if error.validator == "type":
        kinds = expected if isinstance(expected, list) else [expected]
        # YAML reads 1e-3 as a string, and Snakemake's --config reads values within braces as strings.
        hint = " (write 1e-3 as 0.001, and nested keys in a --configfile)" if isinstance(error.instance, str) else ""
        if "string" in kinds and isinstance(error.instance, int | float):
            hint = " (put a name in quotes: YAML reads 001 as a number, and on as true)"
        return f"{value} has the wrong type; give {' or '.join(_KINDS[kind] for kind in kinds)}{hint}"
    if error.validator == "uniqueItems":
        doubled = next(item for item in error.instance if error.instance.count(item) > 1)
        return f"key {key!r}: {doubled!r} is given twice; remove one"
    if error.validator in _BOUNDS:
        return f"{value} is out of range; give {_BOUNDS[error.validator]} {expected}"
    if error.validator == "pattern":
        hint = error.schema.get("description", "")
        return f"{value} is not valid; it must match {expected} ({hint})"
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
