"""Every benchmark, one after another."""

from . import imports, measures, money, notebook, preview

for one in (imports, notebook, preview, measures, money):
    one.main()
    print()
