"""Every benchmark, one after another."""

from . import films, gateway, imports, measures, money, notebook, preview, sweeps

for one in (imports, notebook, preview, measures, money, sweeps, films, gateway):
    one.main()
    print()
