"""Every benchmark, one after another, then one table of all figures."""

from . import films, gateway, imports, measures, money, notebook, panel, preview, report, sweeps

begun = report.load()
for one in (imports, notebook, panel, preview, measures, money, sweeps, films, gateway):
    one.main()
    print()
report.table(begun)
