"""Text that was decoded with the wrong encoding, put right.

Pages of the site declare UTF-8, but authors paste what another program had already damaged. Only paragraphs that hold
the marks of such damage are touched, so curly quotation marks, dashes and accents that the author typed stay.
"""

from __future__ import annotations

import re

# UTF-8 read as Windows-1252, Latin-1 or Mac Roman: a lead byte as a letter, then a continuation byte as a sign.
# The ranges of the second character are what those encodings make of the bytes 0x80 to 0xBF.
_MARKS = re.compile("â€|[ÂÃÄÅâðï][\u0080-\u00bfŒœŠšŸŽžƒˆ˜–—‘’‚“”„†‡•…‰‹›€™]|‚Ä|√[°-¿©®±]|¬[†∞¢£•ß®©™´¨≠]")
# The third byte of a closing quotation mark (0x9D) means nothing in Windows-1252 and is mostly lost on the way.
# Alone it could be the beginning of many signs; before a letter, a space or the end only the quotation mark is left.
_LOST_CLOSING_QUOTE = re.compile(r"â€(?=[\x00-\x7f]|$)")


def repair_mojibake(text: str) -> str:
    """Repair a text that was UTF-8 and was read as something else; return any other text as it is.

    Parameters
    ----------
    text : a whole paragraph, white space not yet folded (a no-break space is part of the damage).

    Returns
    -------
    The text; only the damaged stretches differ.

    References
    ----------
    ftfy (Speer 2019, 10.5281/zenodo.2591652), `fix_encoding` alone: it leaves quotation marks and entities alone.
    """
    if text.isascii() or not _MARKS.search(text):
        return text
    import ftfy

    return ftfy.fix_encoding(_LOST_CLOSING_QUOTE.sub("”", text))
