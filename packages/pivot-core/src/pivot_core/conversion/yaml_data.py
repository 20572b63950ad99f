"""YAML 1.1 as data, with merge keys whose meaning does not depend on the version of PyYAML."""

import functools
from typing import Any, Final

_MERGE: Final = "tag:yaml.org,2002:merge"
_VALUE: Final = "tag:yaml.org,2002:value"
_TEXT: Final = "tag:yaml.org,2002:str"


@functools.cache
def loader() -> Any:
    """A safe loader class of PyYAML, which is an optional dependency.

    A mapping's own keys override merged ones, and the first of several merged mappings overrides the others; a merged
    mapping has first been merged itself.
    """
    import yaml  # lazy: an extra: only who has it asks for this

    fastest: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loading(fastest):  # type: ignore[misc] # the class is known only here
        def flatten_mapping(self, node: yaml.MappingNode) -> None:
            """Insert the merged items of a mapping before its own."""
            merges = [value for key, value in node.value if key.tag == _MERGE]
            own = [pair for pair in node.value if pair[0].tag != _MERGE]
            for key, _ in own:
                if key.tag == _VALUE:
                    key.tag = _TEXT
            node.value = own  # allows a mapping to be merged into itself
            found: dict[Any, tuple[yaml.Node, yaml.Node]] = {}
            for value in merges:
                several = isinstance(value, yaml.SequenceNode)
                for mapping in reversed(value.value) if several else [value]:
                    if not isinstance(mapping, yaml.MappingNode):
                        raise yaml.constructor.ConstructorError(
                            "while constructing a mapping",
                            node.start_mark,
                            "expected a mapping or list of mappings for merging",
                            mapping.start_mark,
                        )
                    self.flatten_mapping(mapping)
                    for pair in mapping.value:
                        key = pair[0]
                        found[(key.tag, key.value) if isinstance(key, yaml.ScalarNode) else id(key)] = pair
            node.value = [*found.values(), *own]

    return Loading
