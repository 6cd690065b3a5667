"""Scripts and the replica of the site; none is part of the installed package."""
