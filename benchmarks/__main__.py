"""Every benchmark, one after another."""

from . import gateway, imports, measures, money, notebook, preview, sweeps

for one in (imports, notebook, preview, measures, money, sweeps, gateway):
    one.main()
    print()
