"""Every benchmark, one after another."""

from . import imports, money, notebook, preview

for one in (imports, notebook, preview, money):
    one.main()
    print()
