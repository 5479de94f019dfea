"""Every benchmark, one after another."""

from . import imports, measures, money, notebook, preview, sweeps

for one in (imports, notebook, preview, measures, money, sweeps):
    one.main()
    print()
