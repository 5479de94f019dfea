"""Every benchmark, one after another."""

from . import films, gateway, imports, measures, money, notebook, panel, preview, sweeps

for one in (imports, notebook, panel, preview, measures, money, sweeps, films, gateway):
    one.main()
    print()
