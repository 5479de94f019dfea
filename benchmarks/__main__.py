"""Every benchmark, one after another."""

from . import films, imports, measures, money, notebook, preview, sweeps

for one in (imports, notebook, preview, measures, money, sweeps, films):
    one.main()
    print()
