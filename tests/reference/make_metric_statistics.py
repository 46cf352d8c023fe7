# SPDX-License-Identifier: Apache-2.0
"""Golden values of metric/statistics.hpp: python3 make_metric_statistics.py > metric_statistics.json (numpy, scipy 1.11 or newer)."""
import json

import numpy as np
import scipy
from scipy import stats

random = np.random.default_rng(20240617)
cases = []


def add(name, a, b):
    a, b = np.asarray(a, float), np.asarray(b, float)
    d = a - b
    d = d[d != 0]
    tied = len(np.unique(np.abs(d))) < len(d)
    exact = len(d) <= 25 and not tied
    r = stats.wilcoxon(d, zero_method="wilcox", correction=False, method="exact" if exact else "asymptotic")
    cases.append({"name": name, "a": a.tolist(), "b": b.tolist(), "pairs": len(d), "exact": exact,
                  "statistic": float(r.statistic), "p": float(r.pvalue),
                  "mean": float(np.mean(a - b)), "sd": float(np.std(a - b, ddof=1)),
                  "percentile_2_5": float(np.percentile(a - b, 2.5)), "percentile_95": float(np.percentile(a - b, 95))})


add("one sign, 6 pairs", [.81, .77, .9, .66, .71, .85], [.8, .73, .88, .59, .55, .76])
add("mixed, 12 pairs", random.normal(.8, .1, 12), random.normal(.76, .1, 12))
add("25 pairs", random.normal(.8, .1, 25), random.normal(.75, .1, 25))
add("26 pairs", random.normal(.8, .1, 26), random.normal(.75, .1, 26))
add("80 pairs", random.normal(.8, .1, 80), random.normal(.79, .1, 80))
add("ties", [3, 5, 7, 2, 9, 4, 6, 8, 1, 5], [2, 4, 9, 2, 6, 5, 4, 5, 3, 4])
add("zeros", [.5, .6, .7, .8, .9, .4, .3, .2], [.5, .55, .72, .8, .8, .37, .26, .25])

a, b = np.array(cases[3]["a"]), np.array(cases[3]["b"])
interval = stats.bootstrap((a - b,), np.mean, n_resamples=200000, method="percentile", random_state=1).confidence_interval
print(json.dumps({"scipy": scipy.__version__, "paired": cases,
                  "bootstrap": {"case": 3, "low": float(interval.low), "high": float(interval.high)}}, indent=1))
