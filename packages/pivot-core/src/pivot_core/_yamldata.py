"""YAML 1.1 as data, with merge keys that mean the same whatever the version of PyYAML."""

from typing import Any

import yaml

_Fastest: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"


class Loading(_Fastest):  # type: ignore[misc]  # which one it is, is known only here
    """A safe loader.

    What stands in a mapping wins over what is merged into it, the first of several merged mappings over the others;
    what is merged has been merged itself before.
    """

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Put what is merged into a mapping before what stands in it."""
        merges = [value for key, value in node.value if key.tag == _MERGE]
        own = [pair for pair in node.value if pair[0].tag != _MERGE]
        for key, _ in own:
            if key.tag == "tag:yaml.org,2002:value":
                key.tag = "tag:yaml.org,2002:str"
        node.value = own  # so that a mapping may be merged into itself
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
                    found[_identity(pair[0])] = pair
        node.value = [*found.values(), *own]


def _identity(key: yaml.Node) -> Any:
    return (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else id(key)
