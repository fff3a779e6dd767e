"""XML that another program wrote: anything may be in it, and what could harm is refused."""

import xml.etree.ElementTree as ET

from refiner.errors import LabelError


class _WithoutDoctype(ET.TreeBuilder):
    """Builds elements, and stops at a document type.

    Entities can only be declared there. Without it, no entity grows to fill the memory and none names another file;
    the parser of the standard library calls this before it has read any of them.
    """

    def doctype(self, name: str, _pubid: str | None, _system: str | None) -> None:
        raise LabelError(f"found the document type {name!r:.40}, wanted none, as entities may be declared there")


def parse_xml(data: bytes, path: str) -> ET.Element:
    """Return the root of a document.

    Args:
        data: The document.
        path: Its file, for messages.

    Raises:
        LabelError: It is not XML, or has a document type.
    """
    parser = ET.XMLParser(target=_WithoutDoctype())
    try:
        parser.feed(data)
        return parser.close()
    except LabelError as error:
        raise LabelError(f"{path}: {error}. Remove the document type.") from None
    except (ET.ParseError, LookupError, ValueError) as error:  # the last two are of encodings that do not exist
        raise LabelError(f"{path} is not XML: {error}. Write it again.") from error


def to_bytes(root: ET.Element) -> bytes:
    """Return a document, indented for people."""
    ET.indent(root)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"
